"""The ClipFormer preset: attention on analog arrays, from the writing of keys to the wear of their cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from archsim import generate_trace
from archsim.cli.main import main
from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.results.energy import action_counts
from archsim.schedule.lower import lower
from archsim.sim.event_engine import EventEngine, run_event
from archsim.sim.fast_engine import FastEngine
from archsim.workload.trace import read_trace

Load = Callable[..., Machine]

PART = "pu.parts.attention"
ONE_PU = "mapping.tensor_parallel=1"


@pytest.fixture(scope="module")
def clipformer(root: Path) -> Load:
    return cache(lambda *overrides: load_hardware(root / "hwconfigs/clipformer.yaml", overrides))


def test_it_is_described(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(root / "hwconfigs/clipformer.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "attention: analog_attention, 4 a PU, on the bus" in shown
    assert "key or value, writing     20 cycles a token" in shown


@pytest.mark.parametrize(
    "name", ["bert_base", "bert_large", "deit_small", "gpt2", "gpt2_decode", "minilm", "vit_base"]
)
def test_it_holds(root: Path, clipformer: Load, name: str) -> None:
    plan = map_trace(clipformer(), read_trace(root / f"workloads/{name}.trace"))
    assert plan.parts["attention"].used <= plan.parts["attention"].total


def test_what_it_does_not_hold(root: Path, clipformer: Load) -> None:
    with pytest.raises(MappingError, match="short"):
        map_trace(clipformer(), read_trace(root / "workloads/llama3_2_1b.trace"))
    # keys and values of one head are what a PU must hold at least
    with pytest.raises(MappingError, match=r"arrays of 'attention', a PU has \d+: \d+ short"):
        map_trace(
            clipformer(f"{PART}.arrays=1", f"{PART}.count=1"), read_trace(root / "workloads/gpt2.trace")
        )


@pytest.mark.parametrize("name", ["minilm", "gpt2"])
@pytest.mark.parametrize("detail", ["module", "array"])
def test_both_engines_agree(clipformer: Load, name: str, detail: str) -> None:
    trace = generate_trace(name, tokens=4, head=False)
    graph = lower(clipformer(), trace, map_trace(clipformer(), trace), detail)  # type: ignore[arg-type]
    runs = [engine(graph, inferences=3, in_flight=2) for engine in (EventEngine, FastEngine)]
    for run in runs:
        run.advance()
    ours, theirs = (run.result() for run in runs)
    assert np.array_equal(ours.start, theirs.start)


@pytest.mark.parametrize("name", ["minilm", "gpt2"])
def test_both_details_agree(clipformer: Load, name: str) -> None:
    trace = generate_trace(name, tokens=5, decode=2 if name == "gpt2" else 0, head=False)
    ends, counts = [], []
    for detail in ("module", "array"):
        graph = lower(clipformer(), trace, map_trace(clipformer(), trace), detail)  # type: ignore[arg-type]
        ends.append(int(run_event(graph).start[0, graph.exit]))
        counts.append(action_counts(graph))
    assert ends[0] == ends[1]
    assert counts[0] == pytest.approx(counts[1])


def test_keys_are_written_before_they_are_used(clipformer: Load) -> None:
    trace = generate_trace("minilm", tokens=5, head=False)
    machine = clipformer(ONE_PU)
    graph = lower(machine, trace, map_trace(machine, trace))
    run = run_event(graph)
    for name in ("l0.scores", "l0.context"):
        (resource,) = (
            number
            for number, each in enumerate(graph.resources)
            if each.name.endswith(f"pu0.attention.{name}")
        )
        tasks = np.flatnonzero(graph.resource == resource)
        writes, products = tasks[graph.occupancy[tasks] == 20], tasks[graph.occupancy[tasks] > 20]
        assert (len(writes), len(products)) == (5, 5)
        assert run.finish[0, writes].max() <= run.start[0, products].min()


def test_wear_is_one_write_of_each_cell_in_use(clipformer: Load) -> None:
    # keys and values of 6 layers, 7 tokens, 384 elements of 4 cells; over all cells of 24 PUs
    trace = generate_trace("minilm", tokens=7, head=False)
    result = simulate(clipformer(ONE_PU), trace)
    cells = 24 * 4 * 512 * 64 * 64
    assert result.wear["attention"] == pytest.approx(2 * 6 * 7 * 384 * 4 / cells)
    written = 2 * 6 * 7 * 384 * 4 * 0.79
    idle = simulate(clipformer(ONE_PU, f"{PART}.cell.mlc_write.energy_pj=0"), trace)
    components = [each.energy_pj["by_component"]["attention.array"] for each in (result, idle)]
    assert components[0] - components[1] == pytest.approx(written)


def test_a_short_life_is_told(clipformer: Load) -> None:
    trace = generate_trace("minilm", tokens=7, head=False)
    result = simulate(clipformer(f"{PART}.endurance_writes=1.0e+6"), trace)
    assert any(text.startswith("the cells of attention are written") for text in result.warnings)


@pytest.mark.parametrize(
    ("override", "slower"),
    [
        (f"{PART}.write_lines=6400", True),
        (f"{PART}.array.read_ns=200", True),
        (f"{PART}.adc.rate_gs_per_s=0.2", True),
        (f"{PART}.cell.mlc_write.row_ns=2000", True),
        ("pu.parts.buffer.read_gb_per_s=0.1", True),
        (f"{PART}.noise.write.gamma=3", False),
    ],
)
def test_what_changes_time(clipformer: Load, override: str, slower: bool) -> None:
    trace = generate_trace("minilm", tokens=6, head=False)
    before, after = (
        simulate(clipformer(*chosen), trace, stream=False).latency_ns["total"] for chosen in ((), (override,))
    )
    assert (after > before) == slower
    assert slower or after == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mapping.attention=atention", "must name a part of pu.parts, one of: analog, attention, buffer, "
         "sfu, not 'atention' (did you mean 'attention'?)"),
        (f"{PART}.kind=analog_atention", "must be a kind of part, one of: "),
        (f"{PART}.write_line=1", "unknown key 'write_line' of pu.parts.attention (did you mean "
         "'write_lines'?)"),
        (f"{PART}.endurance_writes=0", "must be greater than 0, not 0"),
        (f"{PART}.noise.write.gamma=-1", "must be at least 0, not -1"),
        ("mapping.intermediates=attention", "other parts cannot read what 'attention' (analog_attention) "
         "holds: name a memory"),
    ],
)  # fmt: skip
def test_broken_yaml(clipformer: Load, override: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        clipformer(override)
    (finding,) = caught.value.findings
    assert finding.message.startswith(message)
