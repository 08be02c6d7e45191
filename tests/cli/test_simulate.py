"""``archsim simulate``, on the preset and a trace that is small enough to be quick."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archsim
from archsim.cli.main import main


@pytest.fixture
def preset(root: Path) -> str:
    return str(root / "hwconfigs/hyflexpim.yaml")


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.trace"
    assert main(["trace", "minilm", "--tokens", "4", "--no-head", "-o", str(path)]) == 0
    return str(path)


def test_summary_and_result(
    preset: str, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["simulate", preset, small, "--out", str(out)]) == 0
    summary, err = capsys.readouterr()
    assert err == ""
    assert summary.endswith(f"\nThe whole result is in {out}/result.json.\n")
    assert 10 < summary.count("\n") <= 60
    assert [entry.name for entry in out.iterdir()] == ["result.json"]
    result = json.loads((out / "result.json").read_text())
    assert {"schema", "latency_ns", "throughput", "energy_pj", "area_mm2"} <= set(result)
    assert str(tmp_path) not in (out / "result.json").read_text()


def test_equal_runs_are_equal_bytes(
    preset: str, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["simulate", preset, small, "--out", str(out), "--json", "--set", "mapping.in_flight=4"]
    assert main([*command, "--engine", "fast"]) == 0
    first = (out / "result.json").read_bytes()
    assert capsys.readouterr().out.encode() == first
    assert main([*command, "--overwrite", "--engine", "event", "--detail", "module"]) == 0
    assert (out / "result.json").read_bytes() == first


def test_the_api_gives_the_same(preset: str, small: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also after the submodules were imported, the verbs of the package are functions."""
    assert main(["simulate", preset, small, "--json", "--no-stream", "--set", "mapping.slc_rate=0.5"]) == 0
    machine = archsim.load_hardware(preset, ["mapping.slc_rate=0.5"])
    result = archsim.simulate(machine, archsim.load_trace(small), stream=False)
    assert result.to_json() == capsys.readouterr().out


def test_what_if_tells_the_speed_up(preset: str, small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", preset, small, "--no-stream"]) == 0
    plain = capsys.readouterr().out
    assert main(["simulate", preset, small, "--no-stream", "--what-if"]) == 0
    assert capsys.readouterr().out.startswith(f"{plain}Run with analog twice as fast: latency ")


def test_an_override_changes_the_result(preset: str, small: str, capsys: pytest.CaptureFixture[str]) -> None:
    latencies = []
    for clock in ("1.0", "2.0"):
        command = ["simulate", preset, small, "--json", "--no-stream", "--set", f"system.clock_ghz={clock}"]
        assert main(command) == 0
        latencies.append(json.loads(capsys.readouterr().out)["latency_ns"]["total"])
    assert latencies[1] < latencies[0]


@pytest.mark.parametrize("option", [[], ["--overwrite"]])
def test_an_unwritable_place_is_found_before_anything_runs(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    command = ["simulate", "nowhere.yaml", "nowhere.trace", "--out", f"{tmp_path}/out", *option]
    assert main(command) == 2
    message = f"{tmp_path}/out: exists and is not a directory; name another one\n"
    assert capsys.readouterr() == ("", message)


def test_an_earlier_result_needs_overwrite(
    preset: str, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    assert main(["simulate", preset, small, "--out", f"{tmp_path}/out"]) == 2
    message = f"{tmp_path}/out: exists; replace it with --overwrite, or name another one\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("broken", ["hardware", "trace", "override"])
def test_a_broken_input_leaves_nothing(
    broken: str, preset: str, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["simulate", preset, small, "--out", f"{tmp_path}/out"]
    if broken == "override":
        command += ["--set", "mapping.slc_rat=0.5"]
    else:
        command[1 if broken == "hardware" else 2] = f"{tmp_path}/nowhere"
    before = set(tmp_path.iterdir())
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert ("slc_rate" if broken == "override" else "nowhere: ") in err
    assert set(tmp_path.iterdir()) == before


def test_ctrl_c_leaves_nothing(
    preset: str,
    small: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archsim.pipeline.measure", interrupted)
    before = set(tmp_path.iterdir())
    assert main(["simulate", preset, small, "--out", f"{tmp_path}/a/b"]) == 130
    assert capsys.readouterr() == ("", "archsim: interrupted\n")
    assert set(tmp_path.iterdir()) == before
