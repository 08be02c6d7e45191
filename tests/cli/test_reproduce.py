"""``archsim reproduce``."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archsim.cli.main import main


@pytest.fixture(autouse=True)
def _at_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def test_the_table_has_both_values_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "isaac"]) == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if line.startswith("computational efficiency "))
    assert line.split()[2:6] == ["478.95", "483.3", "1.009", "GOPS/s/mm2"]
    assert "Why they differ:" in out
    assert "its peak over its printed 85.4 mm2 is 483.5" in out.replace("\n  ", " ")


def test_json_has_rows_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "hyflexpim", "--only", "consistency", "--jobs", "1", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    rows = {row["id"]: row for row in content["rows"]}
    assert rows["consistency.levels_mlc"]["published"] == 128
    assert rows["consistency.levels_mlc"]["ratio"] == pytest.approx(193 / 128)
    assert set(content["tables"]) == {"consistency"}


def test_a_directory_with_tables_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scaling"
    words = ["reproduce", "hyflexpim", "--only", "scaling", "--jobs", "1", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.endswith(f"Tables and pictures are in {out}.\n")
    names = {"reproduction.md", "reproduction.json", "rows.csv", "scaling.csv", "scaling.png"}
    assert {file.name for file in out.iterdir()} == names
    assert (out / "scaling.png").read_bytes().startswith(b"\x89PNG")
    with (out / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["id"] == "scaling.pus_48_chips_1_rows"
    assert float(rows[0]["simulated"]) < 1
    assert "![scaling](scaling.png)" in (out / "reproduction.md").read_text()
    # a second time it must be asked for, and other groups replace all of it
    assert main(words) == 2
    assert "exists; replace it with --overwrite" in capsys.readouterr().err
    again = [
        "reproduce",
        "hyflexpim",
        "--only",
        "consistency",
        "--jobs",
        "1",
        "--out",
        str(out),
        "--overwrite",
    ]
    assert main(again) == 0
    assert {file.name for file in out.iterdir()} == {*names, "consistency.csv"} - {
        "scaling.csv",
        "scaling.png",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("isaac", "--only", "peak"), "--only: must be one of peaks, not 'peak' (did you mean 'peaks'?)"),
        (("isaac", "--machines", "nowhere"), "nowhere: has no isaac_ce.yaml; --machines names the directory"),
        (("isaac", "--jobs", "0"), "--jobs: must be from 1 to 64, not 0"),
        (("isaac", "--out", "README.md"), "README.md: exists and is not a directory"),
        (("isaac", "--out", "README.md/x"), "README.md/x: cannot be written"),
        (("isaac", "--out", "docs", "--overwrite"), "docs: exists and holds what archsim did not write"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_paper_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["reproduce", "isac"])
    assert caught.value.code == 2
    assert "'isac' is not one of hyflexpim, isaac (did you mean 'isaac'?)" in capsys.readouterr().err


def test_every_paper_can_be_asked_for() -> None:
    from archsim.cli.reproduce import _PAPERS
    from archsim.reproduce.papers import PAPERS

    assert tuple(PAPERS) == _PAPERS


def test_ctrl_c_leaves_nothing(tmp_path: Path, root: Path) -> None:
    out = tmp_path / "out"
    words = [
        sys.executable,
        "-m",
        "archsim",
        "reproduce",
        "hyflexpim",
        "--out",
        str(out),
    ]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        start_new_session=True,
    )
    time.sleep(2)  # while it simulates: its processes have begun by then, or are about to
    os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == b""
    assert said.endswith(b"archsim: interrupted\n")
    assert list(tmp_path.iterdir()) == []
