"""A processor fed from memories, to the cycle: tests/machines/processor.yaml, in cycles of 1 ns.

A transfer of b bytes holds the global bus for ceil(b / 4), and arrives 2 later; the PU's bus for
ceil(b / 8), and arrives 1 later. The DRAM reads b bytes in ceil(b / 4), and they are there 10 later; the
SRAM reads and writes 8 a cycle, 1 later. The processor does 8 products a cycle, 3 cycles deep, for two
tokens at a time, and has room for two pieces of 16 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parent

Timetable = Callable[..., Any]


def test_one_matrix_and_three_tokens(timetable: Timetable) -> None:
    """32 bytes of weights in two pieces, once for tokens 0 and 1, and once for token 2."""
    times, end = timetable("processor.yaml", "matrix.trace")
    assert times == {
        # the buffer takes two pieces at once; the third is read when the first has been worked on (30),
        # the fourth when the second has (34)
        ("w", "chip0.dram"): [(0, 14), (4, 18), (30, 44), (34, 48)],
        # three inputs of 8 bytes, then pieces of 16: 2 and 4 cycles
        ("w", "chip0.global_bus"): [
            *((0, 4), (2, 6), (4, 8)),
            *((14, 20), (18, 24), (44, 50), (48, 54)),
        ],
        ("w", "chip0.pu0.bus"): [
            *((4, 6), (6, 8), (8, 10)),
            *((20, 23), (24, 27), (50, 53), (54, 57)),
        ],
        # two tokens: 64 products in 8 cycles, 4 a piece; one token: 2 a piece
        ("w", "chip0.pu0.processor"): [(23, 30), (27, 34), (53, 58), (57, 62)],
        # results of 4 bytes
        ("output", "chip0.pu0.bus"): [(34, 36), (35, 37), (62, 64)],
        ("output", "chip0.global_bus"): [(36, 39), (37, 40), (64, 67)],
    }
    assert end == 67


def test_energy_of_one_matrix() -> None:
    """Every action costs 1 pJ, but a bit read from the DRAM 2."""
    machine = load_hardware(MACHINES / "processor.yaml")
    result = simulate(machine, read_trace(MACHINES / "matrix.trace"), stream=False)
    weights, moved = 2 * 32, 3 * 8 + 2 * 32 + 3 * 4
    dynamic = {
        "dram.cells": 2 * 8 * weights,
        "processor.mac": 3 * 32,
        # weights in and out; 4 inputs for every 8 products; results
        "processor.buffer": 2 * weights + 3 * 32 / 2 + 3 * 4,
        # inputs, weights, results
        "bus": 8 * moved,
        "global_bus": 8 * moved,
    }
    # two banks of DRAM and five other rows, 1 mW each, for 67 ns
    static = 7 * 67.0
    found = {name: energy for name, energy in result.energy_pj["by_component"].items() if energy}
    assert found == pytest.approx(dynamic | {"static": static})


def test_causal_attention(timetable: Timetable) -> None:
    """Three tokens attend to 1, 2 and 3 keys of one head of 8 elements; two of them share their keys."""
    times, end = timetable("processor.yaml", "attention.trace")
    # scores of 1 + 2 keys: 24 products, 3 cycles with one piece of 16 bytes; of 3 keys: 24 bytes are two
    # pieces, of whose 3 cycles floor(3 * 16 / 24) = 2 belong to the first
    assert times["scores", "chip0.pu0.processor"] == [(354, 360), (389, 394), (393, 397)]
    # context: scores of 12 bits take two steps each, 6 cycles: 4 and 2 where there are two pieces
    assert times["context", "chip0.pu0.processor"] == [(380, 389), (414, 421), (418, 423)]
    # pieces of keys and values alternate: the values of tokens 0 and 1 are read before the keys of token 2
    reads = times["scores", "chip0.pu0.sram"][-3:], times["context", "chip0.pu0.sram"][-3:]
    assert reads == ([(348, 351), (360, 363), (389, 391)], [(352, 355), (394, 397), (397, 399)])
    # two places: the first keys wait for v's last piece but one (348), the first values for its last (352),
    # the keys of token 2 for the first scores (360) and contexts (389)
    assert times["softmax", "chip0.pu0.sfu"] == [(360, 369), (363, 372), (397, 406)]
    assert end == 429


def test_pruned_attention(timetable: Timetable) -> None:
    """Half of the keys, rounded down, are pruned: 1, 1 and 2 are left of 1, 2 and 3."""
    times, end = timetable("processor.yaml", "attention.trace", "mapping.attention.pruner=pruner")
    # the upper half of each key, 4 bytes, in a cycle; queries of 2 cycles when the key and the query are
    # there over the PU's bus: tokens 0 and 1 wait for k (185, 186), token 2 for its own (240)
    assert times["scores", "chip0.pu0.pruner"] == [
        *((184, 185), (185, 186), (239, 240)),
        *((186, 188), (188, 190), (240, 242)),
    ]
    # 1 + 1 keys: 16 products in 2 cycles; 2 keys: the same, and the tokens' 16 bytes are one piece
    assert times["scores", "chip0.pu0.processor"] == [(354, 359), (386, 391)]
    assert times["context", "chip0.pu0.processor"] == [(379, 386), (408, 415)]
    assert end == 421
    machine = load_hardware(MACHINES / "processor.yaml", ["mapping.attention.pruner=pruner"])
    result = simulate(machine, read_trace(MACHINES / "attention.trace"), stream=False)
    # 8 products for each of 6 keys; 12 bytes of upper halves at 5 pJ a bit
    assert result.energy_pj["by_component"]["pruner.cells"] == 6 * 8 + 12 * 8 * 5
    # q, k and v: 3 * 64 products for 3 tokens; scores: 4 keys; context: 4 keys in two steps
    assert result.energy_pj["by_component"]["processor.mac"] == 3 * 3 * 64 + 8 * 4 + 2 * 8 * 4


def test_decode_reads_the_weights_in_each_step(timetable: Timetable) -> None:
    """Three steps: the 64 bytes of each matrix are four pieces, three times."""
    times, _ = timetable("processor.yaml", "decode.trace")
    assert [len(times[op, "chip0.dram"]) for op in ("q", "k", "v")] == [12, 12, 12]
    first = [start for start, _ in times["x", "chip0.global_bus"]]
    # a step's input waits for the result of the step before it
    assert first[1:] == [finish for _, finish in times["output", "chip0.global_bus"][:2]]
    # while the step waits, the next pieces are fetched as far as there is room: two of them
    starts = [start for start, _ in times["q", "chip0.dram"]]
    assert sum(start < first[1] for start in starts) == 4 + 2


def test_pus_share_the_dram(timetable: Timetable) -> None:
    """Two layers on two PUs: the second fetches weights while it waits for the first, from the same DRAM."""
    times, _ = timetable("processor.yaml", "pipeline.trace", "chip.pus=2")
    accesses = sorted((*times["w0", "chip0.dram"], *times["w1", "chip0.dram"]))
    # pieces of 16 bytes each hold it for 4 cycles, one after the other
    assert all(later[0] - earlier[0] >= 4 for earlier, later in pairwise(accesses))
    assert times["w1", "chip0.dram"][0] == (8, 22)
    assert {resource for _, resource in times} >= {"chip0.pu0.processor", "chip0.pu1.processor", "chip0.dram"}
