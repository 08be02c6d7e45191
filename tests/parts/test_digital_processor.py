"""The digital processor: 4096 multipliers and pieces of 128 KB in the non-PIM preset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.part import NO_SIZE, Held, Part, Region, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Place, TaskGraph, Wire
from archsim.workload.operations import Operation, Precision

INT8 = Precision()


class Bench:
    """A way without delay that notes what is asked of it: a ``Fetch``."""

    def __init__(self) -> None:
        self.nbytes: list[int] = []
        self.places = 0

    def bring(self, nbytes: IntArray, token: IntArray, after: Wire, graph: GraphBuilder) -> Wire:
        self.nbytes += nbytes.tolist()
        return graph.join([after], token)

    def free(self, tasks: Wire, group: IntArray, pass_: IntArray, places: int) -> None:
        self.places = places


def tokens(*keys: int) -> Tokens:
    index, zeros = np.arange(len(keys)), np.zeros(len(keys), dtype=np.int64)
    return Tokens(zeros, zeros, index, np.array(keys), index)


def run(
    part: Part, op: Operation, keys: tuple[int, ...], widths: list[Any]
) -> tuple[Bench, Value, TaskGraph]:
    bench, graph = Bench(), GraphBuilder()
    graph.place = Place(0, 0)
    nothing = np.full(len(keys), -1, dtype=np.int32)
    inputs = [
        Value(nothing, width, 8, "port", fetch=bench if number == 1 and op.kind != "linear" else None)
        for number, width in enumerate(widths)
    ]
    stored = Stored("w", op.rows, op.columns, 8, (Region("", op.rows, op.columns),))
    held = Held(stored, "dram", fetch=bench) if op.kind == "linear" else None
    value = part.run(op, tokens(*keys), inputs, held, INT8, graph)
    return bench, value, graph.build()


def cycles(graph: TaskGraph) -> list[int]:
    return [int(held) for held in graph.occupancy[graph.resource >= 0]]


@pytest.fixture(scope="module")
def processor(root: Path) -> Callable[..., Part]:
    def load(*overrides: str) -> Part:
        changes = [f"pu.parts.processor.{change}" for change in overrides]
        machine: Machine = load_hardware(root / "hwconfigs/non_pim.yaml", changes)
        return machine.parts["processor"]

    return load


def test_a_group_shares_one_fetch(processor: Callable[..., Part]) -> None:
    # 1024 x 1024 weights: eight pieces of 128 KB; 130 tokens are groups of 128 and 2, whose 2^20 products
    # each take 256 cycles a token: 32768 and 512, an eighth a piece
    op = Operation("q", "linear", 0, rows=1024, columns=1024)
    bench, value, graph = run(processor(), op, (1,) * 130, [1024])
    assert bench.nbytes == [131072] * 16
    assert bench.places == 2
    assert cycles(graph) == [4096] * 8 + [64] * 8
    assert len(set(value.ready[:128])) == len(set(value.ready[128:])) == 1
    assert (value.width, value.bits, value.at) == (1024, 8, "processor")


def test_multipliers_and_precision_set_the_cycles(processor: Callable[..., Part]) -> None:
    op = Operation("q", "linear", 0, rows=100, columns=100)
    # 10000 products: 2.4 cycles of 4096, 4.9 of 2048, 625 of 16
    for change, expected in (("units=64", 3), ("units=32", 5), ("units=1", 157), ("count=2", 2)):
        assert sum(cycles(run(processor(change), op, (1,), [100])[2])) == expected
    # 4-bit operands: four steps a product of 8 by 8 bits
    assert sum(cycles(run(processor("operand_bits=4"), op, (1,), [100])[2])) == 10
    assert processor().peak_macs_per_cycle(INT8) == 4096
    assert processor("operand_bits=4").peak_macs_per_cycle(INT8) == 1024
    assert processor().interval(Stored("w", 100, 100, 8, ()), INT8) == 3


def test_attention_reads_the_keys_of_a_group_once(processor: Callable[..., Part]) -> None:
    # 4 heads share 2 KV heads of 64 elements; tokens with 1, 2 and 3 keys: 3 keys of 128 bytes for all
    scores = Operation("s", "attention_scores", 0, heads=4, kv_heads=2, head_size=64)
    bench, value, graph = run(processor("units=1"), scores, (1, 2, 3), [256, 128])
    assert bench.nbytes == [3 * 128]
    assert cycles(graph) == [6 * 256 // 64]
    assert (value.width.tolist(), value.bits) == ([4, 8, 12], 12)
    # scores of 12 bits take two steps with 8-bit multipliers
    context = Operation("c", "attention_context", 0, heads=4, kv_heads=2, head_size=64)
    bench, value, graph = run(processor("units=1"), context, (1, 2, 3), [np.array([4, 8, 12]), 128])
    assert bench.nbytes == [3 * 128]
    assert cycles(graph) == [2 * 6 * 256 // 64]
    assert (value.width, value.bits) == (256, 8)


def test_pruned_keys_are_not_multiplied(processor: Callable[..., Part]) -> None:
    scores = Operation("s", "attention_scores", 0, heads=2, kv_heads=2, head_size=32)
    # 25 of 100 keys are left to each of two tokens: together 100 * (1 - 0.75^2) = 43.75 are fetched
    mask = np.array([50, 50])
    bench, value, graph = run(processor("units=1"), scores, (100, 100), [64, 64, mask])
    assert bench.nbytes == [44 * 64]
    assert cycles(graph) == [2 * 25 * 64 // 64]
    assert value.width.tolist() == [50, 50]
    # what is left of the scores decides what is left of the context
    context = Operation("c", "attention_context", 0, heads=2, kv_heads=2, head_size=32)
    bench, _, graph = run(processor("units=1"), context, (100, 100), [mask, 64])
    assert bench.nbytes == [44 * 64]
    assert cycles(graph) == [2 * 2 * 25 * 64 // 64]


def test_actions(processor: Callable[..., Part]) -> None:
    op = Operation("q", "linear", 0, rows=100, columns=100)
    graph = run(processor(), op, (1, 1), [100])[2]
    counts = {block.action: block.total for block in graph.actions}
    assert counts == pytest.approx(
        # weights in and out; a vector of inputs for 64 units at a time; 100 results each
        {"processor.mac": 20000, "processor.buffer.byte": 2 * 10000 + 20000 / 64 + 200}
    )
    ((mac,), (byte,)) = (processor().costs.actions[action] for action in counts)
    assert (mac.energy_pj, byte.energy_pj) == (0.44, 5.32)


def test_holds_nothing_and_executes_no_softmax(processor: Callable[..., Part]) -> None:
    part = processor()
    assert (part.capacity, part.unit, part.readable, part.group_tokens) == (0, "", False, 128)
    assert part.size(Stored("w", 1, 1, 8, ())) == NO_SIZE
    assert part.refuses(Operation("s", "softmax", 0), INT8) == (
        "digital processors execute linear operations and attention, not 'softmax'"
    )
    assert (part.warnings([], INT8), part.program([]).energy_pj) == ((), 0)
    message = "'processor' stores no run-time values: its buffer keeps nothing; name a memory instead"
    for attempt in (
        lambda: part.cache_size(1),
        lambda: part.store(None, None, None),  # type: ignore[arg-type]
        lambda: part.read(None, None, None, None),  # type: ignore[arg-type]
    ):
        with pytest.raises(MappingError) as caught:
            attempt()
        assert str(caught.value) == message


def test_a_piece_has_a_byte(processor: Callable[..., Part]) -> None:
    with pytest.raises(HardwareError, match=r"buffer_bytes \(1\) must not be below buffer_pieces \(2\)"):
        processor("buffer_bytes=1")
