"""``archsim simulate --timeline``, on the preset and a trace that is small enough to be quick."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest

import archsim.cli.timeline as module
from archsim.cli.main import main


@pytest.fixture
def command(root: Path, tmp_path: Path) -> list[str]:
    trace = str(tmp_path / "small.trace")
    assert main(["trace", "minilm", "--tokens", "4", "--no-head", "-o", trace]) == 0
    return ["simulate", str(root / "hwconfigs/hyflexpim.yaml"), trace, "--no-stream"]


def test_the_timeline_of_a_run(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "t.json"
    assert main([*command, "--timeline", str(file)]) == 0
    summary, err = capsys.readouterr()
    events = json.loads(file.read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert summary.endswith(
        f"\nThe timeline of one inference is in {file}, {len(slices):,} slices: "
        "open it with https://ui.perfetto.dev.\n"
    )
    assert err == ""
    assert {event["ph"] for event in events} == {"M", "X", "C", "s", "f"}
    assert [entry.name for entry in file.parent.iterdir()] == ["t.json"]


def test_the_timeline_agrees_with_the_result(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "t.json.gz"
    assert main([*command, "--timeline", str(packed), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    events = json.loads(gzip.decompress(packed.read_bytes()))["traceEvents"]
    end_us = max(event["ts"] + event["args"]["latency_ns"] / 1000 for event in events if event["ph"] == "X")
    assert end_us == pytest.approx(result["latency_ns"]["first_inference"] / 1000)
    power = [event for event in events if event["ph"] == "C" and event["name"] == "power (mW)"]
    energy_nj = sum(one["args"]["total"] * (two["ts"] - one["ts"]) for one, two in pairwise(power))
    energy_pj = result["energy_pj"]
    assert energy_nj * 1000 == pytest.approx(energy_pj["per_inference"] - energy_pj["static"], rel=1e-4)


def test_limits_and_engines(command: list[str], tmp_path: Path) -> None:
    limits = [
        "--timeline-window",
        ":20000",
        "--timeline-layers",
        "0,outside",
        "--timeline-classes",
        "bus,sfu",
    ]
    files = [tmp_path / f"{engine}.json" for engine in ("event", "fast")]
    for file in files:
        assert main([*command, *limits, "--engine", file.stem, "--timeline", str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    events = json.loads(files[0].read_text())["traceEvents"]
    drawn = {event["args"]["name"].split(".")[1] for event in events if event["name"] == "thread_name"}
    assert {name.split()[0] for name in drawn} == {"bus", "sfu"}
    slices = [event for event in events if event["ph"] == "X"]
    assert {event["args"].get("layer", 0) for event in slices} == {0}
    assert max(event["ts"] for event in slices) < 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timeline-window", "9"], "--timeline-window: '9' is not START:END in ns, such as 1000:2500, "),
        (["--timeline-window", "1e12:"], "--timeline-window: no task that is asked for runs in "),
        (
            ["--timeline-layers", "6"],
            "--timeline-layers: there is no layer 6; layers are 0-5, outside (did you ",
        ),
        (
            ["--timeline-classes", "analogue"],
            "--timeline-classes: there is no class 'analogue'; classes are ",
        ),
    ],
)
def test_wrong_limits_leave_nothing(
    options: list[str], message: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(tmp_path.iterdir())
    files = ["--timeline", str(tmp_path / "a/t.json"), "--out", str(tmp_path / "out")]
    assert main([*command, *files, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(message)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("option", ["window", "layers", "classes"])
def test_a_limit_needs_a_timeline(
    option: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, f"--timeline-{option}", "1"]) == 2
    message = (
        f"--timeline-{option}: limits a timeline, and none is asked for; name its file with --timeline FILE\n"
    )
    assert capsys.readouterr() == ("", message)


def test_an_unwritable_file_is_found_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for place, reason in (("file/t.json", f"{tmp_path}/file is not a directory"), ("", "is a directory")):
        assert main(["simulate", "nowhere.yaml", "nowhere.trace", "--timeline", f"{tmp_path}/{place}"]) == 2
        assert capsys.readouterr() == ("", f"{tmp_path}/{place}: cannot be written: {reason}\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_timeline_in_the_result_directory(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out" / "t.json"
    assert main([*command, "--out", str(file.parent), "--timeline", str(file)]) == 2
    what = "lies in the directory of --out, which holds a result and nothing else; name another place"
    assert capsys.readouterr() == ("", f"{file}: {what}\n")
    assert not file.parent.exists()


def test_the_size_of_a_large_one_is_announced(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_LARGE", 10)
    file = tmp_path / "t.json"
    assert main([*command, "--timeline", str(file)]) == 0
    slices = file.read_text().count('"ph":"X"')
    # four tokens of MiniLM are some 140 bytes a slice
    megabytes = round(slices * 140 / 1e6)
    assert capsys.readouterr().err == (
        f"archsim: the timeline has {slices:,} slices, about {megabytes} MB before compression; "
        "--timeline-window, --timeline-layers and --timeline-classes limit it\n"
    )


def test_ctrl_c_leaves_no_timeline(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archsim.report.timeline._counter", interrupted)
    before = set(tmp_path.iterdir())
    assert main([*command, "--timeline", str(tmp_path / "a/t.json")]) == 130
    assert capsys.readouterr() == ("", "archsim: interrupted\n")
    assert set(tmp_path.iterdir()) == before
