"""Memories that inferences hand on to each other, and the estimate of a run's own memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from archsim.errors import SimulationError
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule import memory
from archsim.schedule.lower import lower
from archsim.schedule.storage import in_flight_limit
from archsim.sim.event_engine import run_event
from archsim.workload.generate import generate
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"
PRESET = Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml"


@pytest.mark.parametrize(("rows", "slots"), [(2, 1), (4, 3)])
def test_an_inference_waits_for_a_slot(rows: int, slots: int) -> None:
    """Three tokens of 8 elements leave K and V, 48 bytes, queries, 24 bytes, and scores in 2 slots,

    2 * 3 * 12 bits = 9 bytes: 81 bytes an inference. A row of the one array has 64 bytes.
    """
    machine = load_hardware(MACHINES / "small.yaml", [f"pu.parts.digital.array.rows={rows}"])
    trace = read_trace(MACHINES / "attention.trace")
    plan = map_trace(machine, trace)
    group = next(group for group in plan.groups if group.layer == 0)
    assert (group.bytes_per_inference, group.slots) == (81, slots)
    graph = lower(machine, trace, plan)
    inferences = slots + 2
    run = run_event(graph, inferences=inferences)
    digital = [r.part == "digital" for r in graph.resources]
    scores, context = (graph.operations.index(name) for name in ("scores", "context"))
    on_digital = [t for t in range(len(graph)) if graph.resource[t] >= 0 and digital[graph.resource[t]]]
    writes = [t for t in on_digital if graph.operation[t] == scores]
    reads = [t for t in on_digital if graph.operation[t] == context]
    for inference in range(inferences - group.slots):
        freed = run.finish[inference, reads].max()
        assert run.start[inference + group.slots, writes].min() >= freed


def test_many_slots_limit_the_stream_instead() -> None:
    machine, trace = load_hardware(PRESET), generate("bert_large", tokens=128, head=False)
    plan = map_trace(machine, trace)
    most = min(group.slots for group in plan.groups)
    assert most > 64
    assert in_flight_limit(plan) == most
    few = replace(plan, groups=tuple(replace(group, slots=3) for group in plan.groups))
    assert in_flight_limit(few) is None


@pytest.mark.parametrize("hardware", ["hyflexpim", "non_pim", "nmp", "sprint"])
@pytest.mark.parametrize(
    ("model", "tokens", "decode"),
    [("bert_base", 16, 0), ("bert_base", 150, 0), ("gpt2", 8, 6), ("gpt2", 0, 5)],
)
def test_the_estimate_of_tasks_is_close(model: str, tokens: int, decode: int, hardware: str) -> None:
    trace = generate(model, tokens=tokens, decode=decode, context=None if tokens else 9, batch=2, head=False)
    machine = load_hardware(PRESET.with_stem(hardware))
    plan = map_trace(machine, trace)
    tasks = len(lower(machine, trace, plan))
    assert memory.estimated_tasks(machine, trace, plan, "module") == pytest.approx(tasks, rel=0.1)


def test_a_run_without_enough_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two million tasks of 500 bytes, and of 50 for each of 23 more inferences, in a free gigabyte."""
    machine, trace = load_hardware(PRESET), generate("bert_large", tokens=2048, head=False)
    plan = map_trace(machine, trace)
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    monkeypatch.setattr(memory, "estimated_tasks", lambda *_: 2_000_000)
    memory.check_memory(machine, trace, plan, stream=False)
    with pytest.raises(SimulationError) as error:
        memory.check_memory(machine, trace, plan, stream=True)
    assert str(error.value) == (
        "one inference of bert_large is about 2e+06 tasks, 24 of them in flight, which need 3.3 GB; "
        "1.0 GB are free: 2.3 GB short; use fewer tokens or decode steps, or run without the stream"
    )
    monkeypatch.setattr(memory, "estimated_tasks", lambda *_: 4_000_000)
    with pytest.raises(SimulationError) as error:
        memory.check_memory(machine, trace, plan, stream=False)
    assert str(error.value) == (
        "one inference of bert_large is about 4e+06 tasks, which need 2.0 GB; "
        "1.0 GB are free: 1.0 GB short; use fewer tokens or decode steps"
    )


def test_a_decode_on_a_processor_is_asked_for_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 20 steps fetches all weights: few tokens, and many tasks."""
    machine = load_hardware(PRESET.with_stem("non_pim"))
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**7)
    for tokens, decode in ((128, 0), (128, 20)):
        trace = generate("gpt2", tokens=tokens, decode=decode, head=False)
        plan = map_trace(machine, trace)
        if decode:
            with pytest.raises(SimulationError, match="GB short; use fewer tokens or decode steps"):
                memory.check_memory(machine, trace, plan, stream=False)
        else:
            memory.check_memory(machine, trace, plan, stream=False)


def test_a_small_run_is_not_asked_for_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, trace = load_hardware(PRESET), generate("bert_large", tokens=16, head=False)
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    memory.check_memory(machine, trace, map_trace(machine, trace), stream=True)


def test_the_system_tells_how_much_memory_is_free() -> None:
    assert memory.available_bytes() > 10**6
