"""``archsim describe``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.cli.main import main


@pytest.fixture
def preset(root: Path) -> str:
    return str(root / "hwconfigs/hyflexpim.yaml")


def test_the_preset(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", preset]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    # the parts of a PU as the YAML names them, and the area of its analog modules: 24 of 0.470 mm2
    assert "analog" in out
    assert "digital" in out
    assert "11.28" in out
    assert "assumption" in out.lower()


def test_json_and_an_override(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", preset, "--json"]) == 0
    as_is = json.loads(capsys.readouterr().out)
    assert main(["describe", preset, "--json", "--set", "pu.parts.analog.count=12"]) == 0
    assert json.loads(capsys.readouterr().out) != as_is


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", f"{tmp_path}/nowhere.yaml"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"{tmp_path}/nowhere.yaml: ")


def test_a_wrong_override_names_the_nearest_path(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", preset, "--set", "pu.parts.analog.cuont=3"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "pu.parts.analog.cuont" in err
    assert "count" in err
