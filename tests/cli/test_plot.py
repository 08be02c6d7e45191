"""``archsim plot`` and ``archsim simulate --plots``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archsim
from archsim.cli.main import main
from archsim.report.plots.draw import MAIN
from archsim.report.plots.kinds import KINDS
from archsim.results.output import RESULT_FILES
from archsim.results.record import SCHEMA

MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """A machine, a trace that is small enough to be quick, and a directory with two of their results."""
    root, folder = Path(__file__).parents[2], tmp_path_factory.mktemp("plot")
    hardware, trace = str(root / "hwconfigs/hyflexpim.yaml"), str(folder / "small.trace")
    assert main(["trace", "minilm", "--tokens", "4", "--no-head", "-o", trace]) == 0
    for name, change in (("one", "mapping.slc_rate=0.05"), ("two", "mapping.slc_rate=0.5")):
        out = str(folder / name)
        assert main(["simulate", hardware, trace, "--no-stream", "--set", change, "--out", out]) == 0
    return hardware, trace, folder


@pytest.fixture
def results(machine: tuple[str, str, Path]) -> list[str]:
    return [str(machine[2] / "one"), str(machine[2] / "two" / "result.json")]


SWEEP = """\
mapping.slc_rate,chip.pus,status,energy_pj,latency_ns
0.05,24,ok,1e9,2e6
0.05,12,infeasible,,
0.1,24,ok,2e9,1e6
"""


@pytest.fixture
def sweep(tmp_path: Path) -> str:
    file = tmp_path / "sweep.csv"
    file.write_text(SWEEP)
    return str(file)


def inputs_of(kind: str, machine: tuple[str, str, Path], results: list[str], sweep: str) -> list[str]:
    source = KINDS[kind].source
    if kind == "sequence_length":
        return results[:1]
    return {"results": results, "run": list(machine[:2]), "sweep": [sweep]}[source]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_in_one_format(
    kind: str,
    machine: tuple[str, str, Path],
    results: list[str],
    sweep: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    suffix = list(MAGIC)[list(KINDS).index(kind) % len(MAGIC)]
    axes = ["--axes", "mapping.slc_rate,chip.pus,energy"] if kind == "heatmap" else []
    file = tmp_path / "new" / f"a{suffix}"
    command = ["plot", *inputs_of(kind, machine, results, sweep), "--kind", kind, *axes, "-o", str(file)]
    assert main(command) == 0
    assert capsys.readouterr() == (f"The picture is in {file}.\n", "")
    assert file.read_bytes().startswith(MAGIC[suffix])


@pytest.mark.parametrize("suffix", MAGIC)
def test_equal_inputs_are_equal_bytes(suffix: str, results: list[str], tmp_path: Path) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        assert main(["plot", *results, "--kind", "throughput", "--by", "ops", "-o", str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_matplotlib_stays_as_it_was(results: list[str], tmp_path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 40, "savefig.dpi": 10}):
        assert main(["plot", *results, "--kind", "area", "-o", str(tmp_path / "large.png")]) == 0
        assert matplotlib.rcParams["font.size"] == 40
    assert main(["plot", *results, "--kind", "area", "-o", str(tmp_path / "plain.png")]) == 0
    assert (tmp_path / "large.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def test_labels_name_the_results(results: list[str], tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    labels = ["--label", "$x$ & <b>", "--label", "_five"]
    assert main(["plot", *results, "--kind", "throughput", *labels, "-o", str(file)]) == 0
    # letters are outlines; the text stands beside them in a comment
    assert "<!-- $x$ &amp; &lt;b&gt; -->" in file.read_text()


def test_options_of_the_pipeline(machine: tuple[str, str, Path], tmp_path: Path) -> None:
    command = ["plot", *machine[:2], "--kind", "pipeline", "--set", "mapping.slc_rate=0.5"]
    command += ["--by", "layer", "--tokens", "0,2-3", "--layers", "1,outside"]
    assert main([*command, "-o", str(tmp_path / "a.svg")]) == 0
    text = (tmp_path / "a.svg").read_text()
    assert [f"<!-- {word} -->" in text for word in ("l1", "l0", "outside", "token 2", "token 1")] == [
        *(True, False, True, True, False)
    ]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "R --kind energy -o D/a.jpg",
            "D/a.jpg: a picture's name must end with one of .png, .svg, .pdf, not '.jpg' (did you "
            "mean 'png'?)",
        ),
        (
            "R --kind energy -o D/a",
            "D/a: a picture's name must end with one of .png, .svg, .pdf, and has no suffix",
        ),
        (
            "R --kind energy -o D/sweep.csv/a.png",
            "D/sweep.csv/a.png: cannot be written: D/sweep.csv is not a directory",
        ),
        (
            "D/no D/gone --kind area",
            "D/no: cannot be read: no such file or directory\nD/gone: cannot be read: no such file "
            "or directory",
        ),
        (
            "D/old.json --kind area",
            "D/old.json: is a result of schema 'archsim-result 0', and this archsim reads 'SCHEMA'; "
            "simulate again to have it in this one",
        ),
        (
            "D/sweep.csv --kind area",
            "D/sweep.csv:1: is not JSON: expecting value",
        ),
        (
            "R --kind area --by operation",
            "--by: area can be split by component, part, not by 'operation'",
        ),
        (
            "R --kind energy --by componet",
            "--by: energy can be split by component, part, operation, not by 'componet' (did you "
            "mean 'component'?)",
        ),
        (
            "R --kind roofline --by part",
            "--by: roofline cannot be split, not by 'part'",
        ),
        (
            "R R --kind energy --label a",
            "--label: each result has one: 1 for 2 given",
        ),
        (
            "R --kind energy --tokens 1 --set a=1",
            "--tokens: does nothing for energy; it is for pipeline\n--set: does nothing for energy; "
            "it is for pipeline and power",
        ),
        (
            "R --kind pipeline",
            "pipeline is drawn from a machine and a trace: archsim plot HW TRACE --kind pipeline; 1 "
            "input is given",
        ),
        (
            "H T --kind pipeline --tokens x --layers 3-1",
            "--tokens: 'x' is neither a token nor a range such as 4-7\n--layers: '3-1' is neither a "
            "layer nor a range such as 4-7, or 'outside'",
        ),
        (
            "H T --kind pipeline --tokens 0-8",
            "--tokens: 9 tokens are asked for; the colours of 8 can be told apart",
        ),
        (
            "H T --kind pipeline --tokens 4",
            "--tokens: there is no token 4 in this run; tokens are 0 to 3",
        ),
        (
            "D/sweep.csv R --kind pareto",
            "pareto is drawn from one sweep, a store or a CSV; 2 inputs are given",
        ),
        (
            "D/sweep.csv --kind heatmap",
            "--axes: heatmap needs X,Y,VALUE, such as chip.pus,system.chips,energy; and none are given",
        ),
        (
            "D/sweep.csv --kind pareto --axes energy",
            "--axes: pareto needs X,Y, such as latency,energy; not 'energy'",
        ),
        (
            "D/sweep.csv --kind pareto --axes mx:energy,area",
            "--axes: 'mx:energy' begins with neither min: nor max: (did you mean 'max'?)",
        ),
        (
            "D/sweep.csv --kind pareto --axes energy,area",
            "--axes: D/sweep.csv has no column 'area_mm2'; it has mapping.slc_rate, chip.pus, "
            "status, energy_pj, latency_ns",
        ),
        (
            "D/sweep.csv --kind heatmap --axes chip.pus,mapping.slc_rate,energy --by a",
            "--by: does nothing for heatmap; it is for pareto",
        ),
        (
            "D/no.csv --kind pareto",
            "D/no.csv: cannot be read: no such file or directory",
        ),
        (
            "D/empty.csv --kind pareto",
            "D/empty.csv: has no points: a line of column names and a line a point are wanted",
        ),
        (
            "D/ragged.csv --kind pareto",
            "D/ragged.csv:3: has 1 value for 2 columns",
        ),
        (
            "D/twice.csv --kind pareto",
            "D/twice.csv:1: has two columns 'a'",
        ),
        (
            "D/bytes.csv --kind pareto",
            "D/bytes.csv: is neither a store of archsim sweep nor a CSV table",
        ),
        (
            "D/half.db --kind pareto",
            "D/half.db: is damaged, or no store of archsim sweep (file is not a database); name another file",
        ),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(
    command: str,
    message: str,
    machine: tuple[str, str, Path],
    results: list[str],
    sweep: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = json.loads(Path(results[1]).read_text()) | {"schema": "archsim-result 0"}
    (tmp_path / "old.json").write_text(json.dumps(old))
    (tmp_path / "empty.csv").write_text("a,b\n")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n\xff\xfe\n")
    (tmp_path / "half.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 200)
    before = set(tmp_path.iterdir())
    short = {"R": results[0], "H": machine[0], "T": machine[1]}
    words = [short.get(word, word.replace("D/", f"{tmp_path}/")) for word in command.split()]
    output = [] if "-o" in words else ["-o", f"{tmp_path}/a.png"]
    assert main(["plot", *words, *output]) == 2
    expected = message.replace("D/", f"{tmp_path}/").replace("SCHEMA", SCHEMA)
    assert capsys.readouterr() == ("", f"{expected}\n")
    assert set(tmp_path.iterdir()) == before


def test_a_store_is_drawn_like_its_csv(machine: tuple[str, str, Path], tmp_path: Path) -> None:
    store, table = str(tmp_path / "points.db"), str(tmp_path / "points.csv")
    points = ["--set", "mapping.slc_rate=0.05,0.1", "--no-stream", "--jobs", "1"]
    assert main(["sweep", *machine[:2], *points, "--store", store, "--csv", table]) == 0
    files = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for source, file in zip((store, table), files, strict=True):
        assert main(["plot", source, "--kind", "pareto", "--by", "mapping.slc_rate", "-o", str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "<!-- mapping.slc_rate = 0.05 -->" in files[0].read_text()


def test_an_unknown_kind(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["plot", "a", "--kind", "enrgy", "-o", "a.png"])
    assert caught.value.code == 2
    kinds = ", ".join(KINDS)
    assert capsys.readouterr().err == (
        f"archsim plot: argument --kind: 'enrgy' is not one of {kinds} (did you mean 'energy'?); "
        "see archsim plot --help\n"
    )


def test_too_many_results(results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", *results[:1] * 101, "--kind", "area", "-o", f"{tmp_path}/a.png"]) == 2
    assert capsys.readouterr().err == "101 results are given; a picture shows 100 at most\n"


def test_simulate_draws_the_main_pictures(
    machine: tuple[str, str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["simulate", *machine[:2], "--no-stream", "--plots", "--out", str(out)]
    assert main(command) == 0
    names = [f"{kind}.png" for kind in MAIN]
    summary, err = capsys.readouterr()
    assert summary.endswith(f"\nThe whole result is in {out}/result.json, beside {', '.join(names)}.\n")
    assert err == ""
    assert {entry.name for entry in out.iterdir()} == {"result.json", *names} == RESULT_FILES
    # pictures do not stand in the way of the next result, and do not outlive it
    assert main([word for word in command if word != "--plots"] + ["--overwrite"]) == 0
    assert [entry.name for entry in out.iterdir()] == ["result.json"]


def test_a_picture_of_nothing_is_left_out(
    machine: tuple[str, str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(*_: object) -> None:
        raise archsim.ArchsimError("nothing to plot: all values are 0")

    monkeypatch.setattr("archsim.report.plots.area.draw", nothing)
    out = tmp_path / "out"
    assert main(["simulate", *machine[:2], "--no-stream", "--plots", "--out", str(out)]) == 0
    assert capsys.readouterr().err == "archsim: area.png is left out: nothing to plot: all values are 0\n"
    assert not (out / "area.png").exists()
    assert (out / "energy.png").exists()


def test_plots_need_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "nowhere.yaml", "nowhere.trace", "--plots"]) == 2
    message = "--plots: needs a directory for the pictures; name one with --out\n"
    assert capsys.readouterr() == ("", message)


def test_results_are_loaded_from_python(results: list[str]) -> None:
    one = archsim.load_result(results[0])
    assert one.to_json() == Path(results[0], "result.json").read_text()
