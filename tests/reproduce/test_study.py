"""Studies: figures beside what runs give, on small cases against direct simulation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import archsim
from archsim.errors import ArchsimError, HardwareError, SimulationError
from archsim.reproduce import energy, isaac, scaling
from archsim.reproduce.crew import execute
from archsim.reproduce.measures import (
    at_full_rate,
    attention_products,
    energy_pj,
    family_pj,
    linear_macs,
    rate,
)
from archsim.reproduce.papers import PAPERS
from archsim.reproduce.published import load_published
from archsim.reproduce.runs import Answers, Run, model_trace
from archsim.reproduce.study import Group, Measured, chosen, file_names, make_study, rows_of

SMALL = Run("hyflexpim", "minilm", 16, stream=False)


@pytest.fixture
def machines(root: Path) -> Path:
    return root / "hwconfigs"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The comparisons of energy on a small model."""
    monkeypatch.setattr(energy, "WORKLOADS", {"glue": ("minilm", 16)})
    monkeypatch.setattr(energy, "RATES", (0.0, 1.0))
    yield


def group(name: str) -> Group:
    return next(group for groups in PAPERS.values() for group in groups if group.name == name)


def answers_of(name: str, machines: Path) -> Answers:
    return execute(machines, group(name).runs(), jobs=1)


def test_isaac_comes_out_within_two_per_cent(machines: Path) -> None:
    study = make_study("isaac", isaac.GROUPS, machines)
    rows = {row.id: row for row in study.rows}
    assert set(rows) == {figure.id for figure in load_published("isaac").figures}
    for name in (
        "tile_area",
        "tile_power",
        "chip_area",
        "chip_power",
        "gops_per_mm2",
        "gops_per_w",
        "storage",
    ):
        assert rows[f"peaks.{name}"].ratio == pytest.approx(1, abs=0.02), name
    # 168 tiles x 12 IMAs x 8 arrays of 128 rows x 128 columns of 2 bits, 8 columns a weight of 16 bits;
    # an input of 16 bits takes 16 reads of 100 ns; two operations a MAC
    gops = 2 * 168 * 12 * 8 * 128 * 16 / 1600
    assert rows["peaks.gops"].simulated == pytest.approx(gops)
    # 128 bitlines in 100 ns
    assert rows["peaks.adc_rate"].simulated == pytest.approx(1.28)


def test_linear_energy_is_that_of_direct_runs(small: None, machines: Path, root: Path) -> None:
    measured = group("linear_energy").measure(answers_of("linear_energy", machines))
    trace = archsim.generate_trace("minilm", tokens=16, head=False)

    def direct(preset: str, **settings: object) -> float:
        paths = {name.replace("__", "."): value for name, value in settings.items()}
        machine = archsim.load_hardware(machines / f"{preset}.yaml", paths)
        by = archsim.simulate(machine, trace).energy_pj["by_operation"]
        return sum(by[name] for name in ("q", "k", "v", "o", "ffn1", "ffn2"))

    own = direct("hyflexpim", mapping__slc_rate=0.0)
    for preset in ("non_pim", "sprint", "nmp", "asadi_int8"):
        assert measured.values[f"linear_energy.{preset}"] == pytest.approx(direct(preset) / own), preset
    # 6 layers of 12 x 384 x 384 weights for 16 tokens
    macs = 16 * 6 * 12 * 384**2
    assert linear_macs(trace) == macs
    assert measured.values["linear_energy.slc_0_pj"] == pytest.approx(own / macs)
    # the paper's ratio over that, 6.6 x
    assert measured.values["linear_energy.non_pim_needed_pj"] == pytest.approx(6.6 * own / macs)
    assert {row["machine"] for row in measured.table} >= {"HyFlexPIM, 0% SLC", "non_pim", "nmp, all at 65 nm"}


def test_the_reuse_that_is_found_gives_the_papers_ratio(
    machines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found from 1 and 128 tokens a fetch; machines of 16 and 32 lie on either side."""
    monkeypatch.setattr(energy, "REUSES", (1, 128))
    answers = answers_of("reuse", machines)
    reuse = group("reuse").measure(answers).values["reuse.non_pim"]
    trace = model_trace("bert_large", 128)
    own = family_pj(
        answers.sure(Run("hyflexpim", "bert_large", 128, energy.slc(0.0), True, False)), trace, "linear"
    )

    def ratio(tokens: int) -> float:
        settings = (("pu.parts.processor.group_tokens", tokens),)
        result = Run("non_pim", "bert_large", 128, settings, stream=False).execute(machines)
        assert not isinstance(result, str)
        return family_pj(result, trace, "linear") / own

    # 16 and 32 tokens divide 128: groups are full
    assert 16 < reuse < 32
    assert ratio(16) > 6.6 > ratio(32)


def test_energy_of_a_full_stream_is_that_of_one_that_was_played(machines: Path) -> None:
    for preset, settings in (("hyflexpim", ()), ("asadi_int8", ()), ("non_pim", ())):
        run = Run(preset, "bert_base", 32, settings)
        played, alone = run.execute(machines), replace(run, stream=False).execute(machines)
        assert not isinstance(played, str)
        assert not isinstance(alone, str)
        found = at_full_rate(alone)
        assert rate(found) == pytest.approx(rate(played), rel=0.01), preset
        assert energy_pj(found) == pytest.approx(energy_pj(played), rel=0.002), preset
        for table in ("by_component", "by_operation", "by_layer"):
            assert sum(found.energy_pj[table].values()) == pytest.approx(energy_pj(found))
        assert at_full_rate(played) is played


def test_products_of_attention() -> None:
    # BERT-Large: 24 layers, 1024 wide, every token with every key, Q K^T and S V
    assert attention_products(model_trace("bert_large", 128)) == 2 * 24 * 1024 * 128**2
    # GPT-2: 12 layers, 768 wide; token t attends to t + 1 keys
    assert attention_products(model_trace("gpt2", 16)) == 2 * 12 * 768 * 16 * 17 // 2


def test_a_run_takes_the_least_chips_that_hold_the_model(machines: Path) -> None:
    run = Run("hyflexpim", "llama3_2_1b", 4, fit=True, stream=False)
    result = run.execute(machines)
    assert not isinstance(result, str)
    assert result.mapping["chips_used"] == 2
    assert result.mapping["pus_per_layer"] == 3
    # with two PUs a layer it fits on no number of chips: the reason is told
    reason = replace(run, settings=(("mapping.tensor_parallel", 2),)).execute(machines)
    assert isinstance(reason, str)
    assert "3 PUs a layer would do" in reason


def test_more_pus_a_chip_are_slower_where_sums_cross(machines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SIZES", ((24, 1), (48, 1)))
    values = group("scaling").measure(answers_of("scaling", machines)).values
    one, two = (values[f"scaling.pus_{pus}_chips_1_rows"] for pus in (24, 48))
    # of 24 layers x 128 tokens, each brings sums of 512 and 819 ranks over 128 GB/s, 16 and 26 cycles, and 16
    # of input and output; 24 PUs are bound by 421 cycles a token
    assert one == 1
    assert two == pytest.approx(421 / (24 * (16 + 26) + 16), rel=1e-3)
    # inputs of a byte in place of sums of four bytes, on the interconnect
    assert values["scaling.pus_48_chips_1_columns"] > two
    assert values["scaling.llama_pus"] == 3


def test_contradictions_are_derived_by_hand(machines: Path) -> None:
    values = group("consistency").measure(answers_of("consistency", machines)).values
    assert values["consistency.levels_slc"] == 65
    assert values["consistency.levels_mlc"] == 193
    # docs/validation.md, F4 to F6: 7072 of 12288 arrays, 6452 arrays' cells
    assert values["consistency.copies_arrays"] == pytest.approx(200 * 7072 / 12288)
    assert values["consistency.copies_cells"] == pytest.approx(105, abs=0.1)
    # Llama-3.2-1B, 2048 wide: q and o 2048 x 2048, k and v 2048 x 512, three matrices of 2048 x 8192; a PU
    # holds 24 MiB of MLC
    weights = 2048 * (2 * 2048 + 2 * 512 + 3 * 8192)
    assert values["consistency.llama_pus"] == pytest.approx(weights / (24 * 2**20))
    # 12288 arrays x 16 sums x 4 bytes, inputs and results of six matrices
    assert values["consistency.bus_bytes"] == 12288 * 16 * 4 + 9216
    # just above the 800 cycles of the arrays
    assert values["consistency.bus_cycles"] == 805
    assert values["consistency.hybrid_cycles"] == 421


def test_only_the_groups_that_are_asked_for_are_run(machines: Path) -> None:
    study = make_study("hyflexpim", chosen(PAPERS["hyflexpim"], ["consistency"]), machines)
    assert {row.group for row in study.rows} == {"consistency"}
    assert list(study.tables) == ["consistency"]
    assert study.pictures == {}


def test_a_group_that_there_is_not() -> None:
    with pytest.raises(ArchsimError, match=r"--only: must be one of linear_energy, reuse, .*'reus'.*'reuse'"):
        chosen(PAPERS["hyflexpim"], ["reus"])


def test_a_figure_that_nothing_gives_is_an_error() -> None:
    published = load_published("isaac")
    with pytest.raises(ArchsimError, match=r"no run gives peaks.tile_area, peaks.tile_power"):
        rows_of(published, {"peaks": Measured({}, [])})


def test_a_note_takes_the_place_of_a_value() -> None:
    published = load_published("isaac")
    values = {figure.id: 1.0 for figure in published.figures[1:]} | {"peaks.gops_over_printed_area": 1.0}
    notes = {"peaks.tile_area": "does not fit."}
    row = rows_of(published, {"peaks": Measured(values, [], notes)})[0]
    assert (row.simulated, row.ratio) == (None, None)
    assert row.why.startswith("does not fit. The table's rows")


def test_missing_presets_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArchsimError, match=r"has no hyflexpim.yaml; --machines names the directory"):
        make_study("hyflexpim", scaling.GROUPS, tmp_path)


def test_two_processes_give_what_one_gives(machines: Path) -> None:
    runs = [
        SMALL,
        Run("non_pim", "minilm", 16, stream=False),
        Run("hyflexpim", "llama3_2_1b", 4, stream=False),
    ]
    told: list[tuple[int, int]] = []
    one = execute(machines, runs, jobs=1)
    two = execute(machines, [*runs, SMALL], 2, lambda over, total: told.append((over, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    for run in runs:
        assert two.reason(run) == one.reason(run)
    assert two.sure(SMALL).to_json() == one.sure(SMALL).to_json()
    assert "24 short" in one.reason(runs[2])
    assert one.result(runs[2]) is None
    with pytest.raises(ArchsimError, match="hyflexpim cannot run llama3_2_1b, 4 tokens: "):
        one.sure(runs[2])


def test_a_broken_preset_ends_all_processes(tmp_path: Path, machines: Path) -> None:
    (tmp_path / "broken.yaml").write_text("system: 1\n")
    with pytest.raises(HardwareError, match=r"broken.yaml"):
        execute(tmp_path, [Run("broken", "minilm", tokens) for tokens in (4, 8)], jobs=2)


def test_a_process_that_dies_is_told(machines: Path) -> None:
    # a tuple in place of a run: the process ends with an error of its own
    with pytest.raises(SimulationError, match="ended with status 1"):
        execute(machines, [SMALL, replace(SMALL, settings=(("chip.pus",),))], jobs=2)  # type: ignore[arg-type]


def test_file_names_cover_all_files() -> None:
    names = file_names(PAPERS["hyflexpim"])
    assert {"reproduction.md", "linear_energy.csv", "linear_energy.png", "sequence_length.png"} <= names
