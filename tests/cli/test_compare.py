"""``archsim compare``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from archsim.cli.main import main

PRESET = "hwconfigs/hyflexpim.yaml"
TRACE = "workloads/bert_base.trace"


@pytest.fixture(autouse=True)
def _at_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def compare(*arguments: str) -> int:
    return main(["compare", *arguments, "--trace", TRACE, "--no-stream"])


def test_the_table_has_ratios_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(PRESET, f"{PRESET}@mapping.slc_rate=1,mapping.svd=none", f"{PRESET}@chip.pus=1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "bert_base"
    assert lines[3].split()[0] == "HyFlexPIM"
    # ratios stand below the second machine; the same area in the same machine
    assert lines[5].split()[6:8] == ["x", "1"]
    assert any("@ chip.pus=1" in line and "cannot run it: hwconfigs/" in line for line in lines)
    assert any("what makes most of the difference:" in line for line in lines)
    assert max(map(len, lines[1:4])) <= 150


def test_json_and_csv_hold_the_same_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.csv"
    assert compare(PRESET, f"{PRESET}@mapping.slc_rate=0.3", "--json", "--csv", str(file)) == 0
    rows = json.loads(capsys.readouterr().out)
    with file.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["machine"] for row in table] == ["HyFlexPIM", "HyFlexPIM @ mapping.slc_rate=0.3"]
    for row, line in zip(rows, table, strict=True):
        assert float(line["energy_pj"]) == row["energy_pj"]
    assert rows[0]["differences"] == {}
    assert rows[1]["differences"]["energy_pj"][0]["name"].startswith("analog.")


def test_the_same_machine_twice_keeps_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(PRESET, PRESET) == 0
    assert "HyFlexPIM #2" in capsys.readouterr().out


def test_different_nodes_are_pointed_out_and_one_node_compares(capsys: pytest.CaptureFixture[str]) -> None:
    other = f"{PRESET}@system.technology_nm=32"
    assert compare(PRESET, other) == 0
    assert "different nodes, 32 and 65 nm: --technology compares them at one." in capsys.readouterr().out
    assert compare(PRESET, other, "--technology", "65", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    # 32 nm to 65 nm: areas x 3.3, energies x 1.332 / 0.5727, but not the energy of what is not in a cost
    assert rows[1]["area_mm2_ratio"] == pytest.approx(3.3)
    assert rows[1]["energy_pj_ratio"] == pytest.approx(1.332 / 0.5727)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((f"{PRESET}@chip.pu=1",), "--set chip.pu=1: unknown key"),
        ((PRESET, "--technology", "28"), "technology: no area factor for 28 nm"),
        (("nothing.yaml",), "nothing.yaml: no such file"),
        ((PRESET, "--csv", "workloads"), "workloads: cannot be written: is a directory"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
