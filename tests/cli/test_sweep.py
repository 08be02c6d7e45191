"""``archsim sweep``: tables, files, and what is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.cli.main import main
from archsim.cli.sweep_progress import duration, line_text, sweep_progress
from archsim.cli.sweep_table import _short
from archsim.explore.executor import Progress
from archsim.explore.objectives import Objective
from archsim.explore.store import Outcome
from archsim.results.metrics import METRICS

PUS = "--set=chip.pus=1"


@pytest.fixture
def command(root: Path, tmp_path: Path) -> list[str]:
    """A sweep of a machine of one PU, of one matrix and four tokens."""
    trace = tmp_path / "tiny.trace"
    trace.write_text(
        "archsim-trace 1\nmodel tiny\nattention full\nphase prefill tokens=4\n"
        "up linear 0 rows=256 columns=256\n"
    )
    preset = str(root / "hwconfigs" / "hyflexpim.yaml")
    return ["sweep", preset, str(trace), PUS, "--no-stream", "--jobs=1", f"--store={tmp_path}/sweep.db"]


def test_a_table_and_files(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    axes = ["--set", "mapping.slc_rate=0,1", "--set", "pu.parts.analog.arrays=1,512"]
    assert main([*command, *axes, "--csv", f"{tmp_path}/points.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == f"tiny on {command[1]}: 4 points, 2 feasible (4 simulated now, 0 known before)"
    assert lines[1] == "with chip.pus=1"
    assert lines[3].split() == ["slc_rate", "arrays", "latency", "inferences", "energy", "area", "power"]
    assert lines[4].split() == ["ms", "/s", "mJ", "mm2", "W"]
    assert [line.split()[:2] for line in lines[5:7]] == [["0", "512"], ["1", "512"]]
    assert lines[8] == "2 points are infeasible:"
    assert lines[-1] == f"All points are in {tmp_path}/sweep.db and {tmp_path}/points.csv."
    assert (tmp_path / "points.csv").read_text().count("\n") == 5

    assert main([*command, *axes, "--pareto", "energy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("4 points, 2 feasible (0 simulated now, 4 known before)")
    assert lines[3] == "Pareto set of energy (min): 1 of 2 points"

    assert main([*command, *axes, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in rows] == ["infeasible", "ok", "infeasible", "ok"]
    assert main([*command, *axes, "--json", "--pareto", "max:energy"]) == 0
    assert [row["mapping.slc_rate"] for row in json.loads(capsys.readouterr().out)] == [1]


def test_a_space_file_and_a_sample(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("mapping: {slc_rate: 0:1:0.25}\ntrace: {tokens: [2, 4]}\n")
    sampling = ["--sample", "latin", "--points", "5", "--seed", "1"]
    assert main([*command, "--space", str(space), *sampling, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sorted(row["mapping.slc_rate"] for row in rows) == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "chip.pu=1,2"], "--set chip.pu=1,2: unknown key 'pu' of chip (did you mean 'pus'?)"),
        (["--set", "chip.pus=1,2"], "--set chip.pus=1,2: chip.pus is swept twice"),
        (["--set", "mapping.slc_rate=0:1:0"], "--set mapping.slc_rate=0:1:0: the step of 0:1:0 is zero"),
        (["--set", "mapping.slc_rate=1:0:0.1"], "--set mapping.slc_rate=1:0:0.1: the range 1:0:0.1 is empty"),
        (["--set", "mapping.slc_rate=a,b"], "--set mapping.slc_rate=a,b: must be a number, not the text 'a'"),
        (
            ["--set", "mapping.slc_rate=0:1:0.001", "--set", "pu.parts.analog.arrays=1:1000:1"],
            "1,001,000 points (1001 x 1000) are more than 10,000: take fewer values, or --sample latin",
        ),
        (["--set", "mapping.slc_rate=0,1", "--pareto", "speed"], "--pareto: there is no objective 'speed'"),
        (["--set", "mapping.slc_rate=0,1", "--jobs", "0"], "--jobs: must be from 1 to 1024, not 0"),
        (["--set", "mapping.slc_rate=0,1", "--csv", "TMP"], "TMP: cannot be written: is a directory"),
        (
            ["--set", "mapping.slc_rate=0,1", "--csv", "TMP/sweep.db"],
            "TMP/sweep.db: is the store; name another",
        ),
        (["--set", "mapping.slc_rate=0,1", "--points", "3"], "--points: a grid has all points; leave it out"),
        (["--space", "TMP/no.yaml"], "TMP/no.yaml: no such file"),
        (["--set", "trace.decode_steps=4"], "--set trace.decode_steps=4: given 4, but every token of an enc"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    more: list[str],
    message: str,
    command: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(tmp_path.iterdir())
    more = [word.replace("TMP", str(tmp_path)) for word in more]
    assert main([*command, *more]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message.replace("TMP", str(tmp_path)))
    assert sorted(tmp_path.iterdir()) == before


def test_without_axes_there_is_nothing_to_sweep(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command.remove(PUS)
    assert main(command) == 2
    assert capsys.readouterr() == ("", "there is nothing to sweep: give --set PATH=a,b,c or --space FILE\n")


def test_a_file_that_is_no_store_is_left_alone(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.db").write_text("mine " * 1000)
    assert main(command) == 2
    what = "is damaged, or no store of archsim sweep (file is not a database); name another file"
    assert capsys.readouterr().err == f"{tmp_path}/sweep.db: {what}\n"
    assert (tmp_path / "sweep.db").read_text() == "mine " * 1000


def test_paths_are_shown_as_short_as_they_differ() -> None:
    assert _short(["mapping.slc_rate", "a.array.rows", "b.array.rows", "rows"]) == [
        "slc_rate",
        "a.array.rows",
        "b.array.rows",
        "rows",
    ]


def test_the_line_of_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """10 of 40 points in 5 s, 4 of which the store had: 1.2 a second, and 25 s for the other 30."""
    progress = Progress(40, found=4, simulated=6, started_s=100.0)
    progress.counts |= {"ok": 8, "infeasible": 2}
    monkeypatch.setattr("time.monotonic", lambda: 105.0)
    expected = "[#####...............] 10 of 40, 1.2/s, 25 s left, 2 without result"
    assert line_text(progress) == expected
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with sweep_progress(Objective("energy_pj", "min")) as tell:
        assert tell is not None
        metrics = dict.fromkeys(METRICS, None) | {"energy_pj": 2e9}
        tell(progress, Outcome(b"", "", "", "ok", "", metrics, b""))
    assert capsys.readouterr().err == f"\r\x1b[K{expected}, best energy 2 mJ\r\x1b[K"


def test_nothing_is_drawn_in_a_pipe() -> None:
    with sweep_progress(None) as tell:
        assert tell is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (200, "3:20 min"), (3599.6, "1:00 h"), (18420, "5:07 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
