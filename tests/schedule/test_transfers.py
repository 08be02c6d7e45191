"""Moves between PUs and chips: each is made once, on the media that lie between."""

from __future__ import annotations

from pathlib import Path

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.event_engine import run_event
from archsim.task_graph import TaskGraph
from archsim.workload.generate import generate
from archsim.workload.operations import Trace
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"
PRESET = Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml"


def lowered(file: Path, trace: Trace, *overrides: str) -> TaskGraph:
    machine = load_hardware(file, overrides)
    return lower(machine, trace, map_trace(machine, trace))


def transfers(graph: TaskGraph, medium: str) -> dict[str, int]:
    """How many tasks of each operation hold a medium."""
    found: dict[str, int] = {}
    for task, resource in enumerate(graph.resource.tolist()):
        if resource >= 0 and graph.resources[resource].part == medium:
            name = graph.operations[graph.operation[task]]
            found[name] = found.get(name, 0) + 1
    return found


def test_between_chips_a_vector_crosses_both_interconnects_and_the_link() -> None:
    """tests/machines/small.yaml with a layer on each of two chips, see test_machines.py; token 0:

    the first MVM ends at 96 and PU 0's bus at 98. 8 bytes hold the interconnect (2 GB/s) for 4 and
    arrive 3 later, hold the link (2 GB/s) for 4 and arrive 5 later, then the other interconnect.
    """
    graph = lowered(MACHINES / "small.yaml", read_trace(MACHINES / "pipeline.trace"), "system.chips=2")
    run = run_event(graph)
    first = {
        graph.resources[resource].name: (int(run.start[0, task]), int(run.finish[0, task]))
        for task, resource in enumerate(graph.resource.tolist())
        if resource >= 0 and graph.token[task] == 0 and graph.operations[graph.operation[task]] == "w1"
    }
    assert first == {
        "chip0.pu0.bus": (96, 98),
        "chip0.interconnect": (98, 105),
        "chip0.chip_link.to_chip1": (105, 114),
        "chip1.interconnect": (114, 121),
        "chip1.pu1.bus": (121, 123),
        "chip1.pu1.analog.w1": (123, 213),
    }


def test_a_vector_reaches_the_next_layer_once() -> None:
    """Two PUs a layer: q, k and v take it whole on both, the residual on the first. One multicast does."""
    trace = generate("minilm", tokens=2, head=False)
    graph = lowered(PRESET, trace, "mapping.tensor_parallel=2", "mapping.svd=none")
    moves = transfers(graph, "interconnect")
    for layer in range(1, 6):
        assert moves[f"l{layer}.q"] == 2
        assert not {f"l{layer}.k", f"l{layer}.v", f"l{layer}.attention_add"} & set(moves)


def test_partial_sums_take_the_global_bus() -> None:
    """o and ffn2 take what each PU has, and leave 384 partial sums of 4 bytes on each."""
    trace = generate("minilm", tokens=2, head=False)
    graph = lowered(PRESET, trace, "mapping.tensor_parallel=3", "mapping.svd=none")
    moves = transfers(graph, "global_bus")
    # two PUs send theirs to the first one, for each token
    assert moves["l3.o"] == moves["l3.ffn2"] == 2 * 2
    assert set(moves) == {"embedding", "output", *(f"l{n}.{op}" for n in range(6) for op in ("o", "ffn2"))}


def test_the_choice_of_experts_stays_on_the_machine(tmp_path: Path) -> None:
    """A router's result is used by the layer's experts: no host waits for it."""
    file = tmp_path / "experts.trace"
    file.write_text(
        "archsim-trace 1\nmodel experts\nattention causal\nphase prefill tokens=3\n"
        "experts count=2 active=1 seed=1 routing=uniform\n"
        "x embedding - vocabulary=9 width=8\n"
        "router linear 0 rows=8 columns=2 after=x\n"
        "choice route 0 width=2 after=router\n"
        "e0 linear 0 rows=8 columns=8 expert=0 after=x\n"
        "e1 linear 0 rows=8 columns=8 expert=1 after=x\n"
        "sum combine 0 width=8 after=e0,e1\n"
    )
    for svd in ("none", "hard_threshold"):
        graph = lowered(MACHINES / "small.yaml", read_trace(file), f"mapping.svd={svd}")
        assert transfers(graph, "global_bus") == {"x": 3, "output": 3}
        # every token takes one of the experts, in one MVM or two
        arrays = transfers(graph, "analog")
        factors = 1 if svd == "none" else 2
        assert arrays["e0"] + arrays["e1"] == 3 * factors
        run = run_event(graph)
        choice = graph.operations.index("choice")
        chosen = run.finish[0][graph.operation == choice].max()
        expert = graph.operations.index("e0"), graph.operations.index("e1")
        busy = [task for task in range(len(graph)) if graph.operation[task] in expert]
        first_choice = run.finish[0][graph.operation == choice].min()
        # experts wait for their token's choice
        assert run.start[0][busy].min() >= first_choice
        assert chosen > 0
