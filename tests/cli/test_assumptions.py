"""``archsim assumptions``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.cli.main import main

ARGUMENTS = ("assumptions", "hwconfigs/hyflexpim.yaml", "tests/machines/matrix.trace", "--no-stream")


@pytest.fixture(autouse=True)
def _at_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def test_the_table_names_what_matters_and_what_was_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ARGUMENTS) == 0
    out = capsys.readouterr().out
    assert out.startswith("matrix on HyFlexPIM: ")
    assert "\npu.bus.latency_ns " in out
    assert "Not tried, since there is no number other than zero: " in out
    assert "\npu.bus.latency_ns: 4.3 mm of repeated wire" in out
    assert max(map(len, out.splitlines())) <= 100


def test_json_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {tuple(row) for row in rows} == {("path", "text", "elasticity", "reason")}
    assert any(row["elasticity"] for row in rows)


def test_a_machine_that_cannot_run_it_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--set", "pu.parts.analog.array.columns=4"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "weights of 8 bits take 8 SLC cells of a row each, and a row has 4" in captured.err
