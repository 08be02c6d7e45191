"""Machines small enough to be worked out by hand: every task starts and finishes as derived here.

tests/machines/small.yaml, in cycles of 1 ns. A transfer of b bytes holds

    the global bus for ceil(b / 4), and arrives 2 later; a PU's bus for ceil(b / 8), and arrives 1 later;
    the interconnect for ceil(b / 2), and arrives 3 later.

An MVM: a read takes 10, the conversions of 16 bitlines at 2 GS/s take 8, so a read interval is
max(10, 8) = 10. Eight input bits hold the arrays for 8 * 10 = 80. The result is there after
10 + 7 * 10 + 8 + 1 (shift-and-add) + 1 (register) = 90.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.schedule.lower import lower
from archsim.sim.event_engine import run_event
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parent / "machines"

Times = dict[tuple[str, str], list[tuple[int, int]]]


def timetable(trace: str, overrides: Sequence[str] = ()) -> tuple[Times, int]:
    """(start, finish) of the tasks of each operation on each resource, in program order; and the end."""
    machine = load_hardware(MACHINES / "small.yaml", overrides)
    workload = read_trace(MACHINES / trace)
    graph = lower(machine, workload, map_trace(machine, workload))
    run = run_event(graph)
    times: Times = {}
    for task, resource in enumerate(graph.resource):
        if resource >= 0:
            key = graph.operations[graph.operation[task]], graph.resources[resource].name
            times.setdefault(key, []).append((int(run.start[0, task]), int(run.finish[0, task])))
    return times, int(run.start[0, graph.exit])


def test_one_matrix_and_three_tokens() -> None:
    """A matrix of 8 x 4 weights on one PU."""
    times, end = timetable("matrix.trace")
    assert times == {
        # 8 bytes hold the global bus for 2
        ("w", "chip0.global_bus"): [(0, 4), (2, 6), (4, 8)],
        # 8 bytes hold the bus for 1. The input buffer holds one vector beside the one at work: token 1 may
        # take the bus when token 0 has started on the arrays (6), token 2 when token 1 has (86)
        ("w", "chip0.pu0.bus"): [(4, 6), (6, 8), (86, 88)],
        # the arrays are held for 80
        ("w", "chip0.pu0.analog.w"): [(6, 96), (86, 176), (166, 256)],
        # results of 4 bytes: 1 on the bus, 1 on the global bus
        ("output", "chip0.pu0.bus"): [(96, 98), (176, 178), (256, 258)],
        ("output", "chip0.global_bus"): [(98, 101), (178, 181), (258, 261)],
    }
    assert end == 261


def test_two_copies_take_turns() -> None:
    """The same with ``whole`` replication: 16 arrays hold the 2 of the matrix eight times."""
    times, end = timetable("matrix.trace", ["mapping.replication=whole"])
    # eight copies bring eight input buffers: nothing waits for the arrays
    assert times["w", "chip0.pu0.bus"] == [(4, 6), (6, 8), (8, 10)]
    assert times["w", "chip0.pu0.analog.w"] == [(6, 96), (8, 98), (10, 100)]
    assert end == 100 + 2 + 3


def test_two_pus_in_a_pipeline_share_a_bus() -> None:
    """A layer on each PU; inputs and outputs meet on a global bus of 0.1 GB/s."""
    times, end = timetable("pipeline.trace", ["chip.pus=2", "chip.global_bus.bandwidth_gb_per_s=0.1"])
    assert times == {
        # 8 bytes hold the global bus for 80
        ("w0", "chip0.global_bus"): [(0, 82), (80, 162), (160, 242), (240, 322)],
        ("w0", "chip0.pu0.bus"): [(82, 84), (162, 164), (242, 244), (322, 324)],
        ("w0", "chip0.pu0.analog.w0"): [(84, 174), (164, 254), (244, 334), (324, 414)],
        # 8 bytes hold the interconnect for 4
        ("w1", "chip0.pu0.bus"): [(174, 176), (254, 256), (334, 336), (414, 416)],
        ("w1", "chip0.interconnect"): [(176, 183), (256, 263), (336, 343), (416, 423)],
        ("w1", "chip0.pu1.bus"): [(183, 185), (263, 265), (343, 345), (423, 425)],
        ("w1", "chip0.pu1.analog.w1"): [(185, 275), (265, 355), (345, 435), (425, 515)],
        ("output", "chip0.pu1.bus"): [(275, 277), (355, 357), (435, 437), (515, 517)],
        # 4 bytes hold the global bus for 40. Token 0 is ready at 277, but the last input has the bus until
        # 320; token 1 is ready at 357, but token 0 has it until 360
        ("output", "chip0.global_bus"): [(320, 362), (360, 402), (437, 479), (517, 559)],
    }
    assert end == 559


def test_causal_prefill() -> None:
    """Three tokens attend to 1, 2 and 3 keys of one head of 8 elements.

    Scores of n keys: 8 n products of 64 NORs of 3 columns, 1536 n / 512 columns = 3 n rows of 5 cycles.
    Context: 96 NORs a product, ceil(4.5 n) rows. Writing a token's q, k, v or n scores of 12 bits takes
    one row of 4 cycles. Softmax: three passes of ceil(n / 4) and 2 more for the pipeline.
    """
    times, end = timetable("attention.trace")
    digital = "chip0.pu0.digital"
    assert times == {
        ("x", "chip0.global_bus"): [(0, 4), (2, 6), (4, 8)],
        ("q", "chip0.pu0.bus"): [(4, 6), (6, 8), (86, 88)],
        ("q", "chip0.pu0.analog.q"): [(6, 96), (86, 176), (166, 256)],
        ("k", "chip0.pu0.analog.k"): [(6, 96), (86, 176), (166, 256)],
        ("v", "chip0.pu0.analog.v"): [(6, 96), (86, 176), (166, 256)],
        # q, k and v of a token are ready together and take the bus in this order
        ("scores", "chip0.pu0.bus"): [
            *((96, 98), (176, 178), (256, 258)),
            *((97, 99), (177, 179), (257, 259)),
        ],
        ("context", "chip0.pu0.bus"): [(98, 100), (178, 180), (258, 260)],
        # writes of q and k, then the scores of 15, 30 and 45 cycles, which find v ahead of them in the
        # queue; when token 2 comes, the context of token 1 has the module until 278
        ("scores", digital): [
            *((98, 102), (178, 182), (278, 282)),
            *((102, 106), (182, 186), (282, 286)),
            *((110, 125), (190, 220), (290, 335)),
        ],
        ("softmax", "chip0.pu0.sfu"): [(125, 134), (220, 229), (335, 344)],
        # writes of the softmax and of v, then the contexts of 5, 9 and 14 rows
        ("context", digital): [
            *((134, 138), (229, 233), (344, 348)),
            *((106, 110), (186, 190), (286, 290)),
            *((138, 163), (233, 278), (348, 418)),
        ],
        ("output", "chip0.pu0.bus"): [(163, 165), (278, 280), (418, 420)],
        ("output", "chip0.global_bus"): [(165, 169), (280, 284), (420, 424)],
    }
    assert end == 424


def test_decode_with_a_growing_cache() -> None:
    """Three steps from a context of 3: 4, 5 and 6 keys; each step's input waits for the output before."""
    times, end = timetable("decode.trace")
    digital = "chip0.pu0.digital"
    assert times == {
        ("x", "chip0.global_bus"): [(0, 4), (279, 283), (601, 605)],
        ("q", "chip0.pu0.bus"): [(4, 6), (283, 285), (605, 607)],
        ("q", "chip0.pu0.analog.q"): [(6, 96), (285, 375), (607, 697)],
        ("k", "chip0.pu0.analog.k"): [(6, 96), (285, 375), (607, 697)],
        ("v", "chip0.pu0.analog.v"): [(6, 96), (285, 375), (607, 697)],
        ("scores", "chip0.pu0.bus"): [
            *((96, 98), (375, 377), (697, 699)),
            *((97, 99), (376, 378), (698, 700)),
        ],
        ("context", "chip0.pu0.bus"): [(98, 100), (377, 379), (699, 701)],
        # 12, 15 and 18 rows of scores
        ("scores", digital): [
            *((98, 102), (377, 381), (699, 703)),
            *((102, 106), (381, 385), (703, 707)),
            *((110, 170), (389, 464), (711, 801)),
        ],
        # a pass of 4 keys enters in one cycle, of 5 and 6 in two
        ("softmax", "chip0.pu0.sfu"): [(170, 179), (464, 476), (801, 813)],
        # 18, 23 and 27 rows
        ("context", digital): [
            *((179, 183), (476, 480), (813, 817)),
            *((106, 110), (385, 389), (707, 711)),
            *((183, 273), (480, 595), (817, 952)),
        ],
        ("output", "chip0.pu0.bus"): [(273, 275), (595, 597), (952, 954)],
        ("output", "chip0.global_bus"): [(275, 279), (597, 601), (954, 958)],
    }
    assert end == 958


def test_tensor_parallel_pair_adds_partial_sums() -> None:
    """Two PUs share a layer: columns of f1, rows of f2; 768 partial sums of 4 bytes cross the global bus.

    The buses are as wide as the paper's: 3072 bytes hold the global bus of 128 GB/s for 24 cycles
    (HyFlexPIM section 5), and a PU's bus of 1024 GB/s for 3.
    """
    times, end = timetable(
        "pair.trace",
        [
            "chip.pus=2",
            "mapping.tensor_parallel=2",
            "chip.global_bus.bandwidth_gb_per_s=128",
            "pu.bus.bandwidth_gb_per_s=1024",
            "pu.parts.analog.arrays=512",
            "pu.parts.sfu.inputs_per_cycle=256",
        ],
    )
    assert times == {
        ("f1", "chip0.global_bus"): [(0, 3)],
        # the first PU has the input at 3, the second one from the interconnect at 10
        ("f1", "chip0.interconnect"): [(3, 10)],
        ("f1", "chip0.pu0.bus"): [(3, 5)],
        ("f1", "chip0.pu1.bus"): [(10, 12)],
        ("f1", "chip0.pu0.analog.f1"): [(5, 95)],
        ("f1", "chip0.pu1.analog.f1"): [(12, 102)],
        # each PU's half of f1 is what its rows of f2 take: nothing moves
        ("f2", "chip0.pu0.analog.f2"): [(95, 185)],
        ("f2", "chip0.pu1.analog.f2"): [(102, 192)],
        # 3072 bytes to the first PU's SFU: its own at 189, the other PU's over three buses
        ("f2", "chip0.pu1.bus"): [(192, 196)],
        ("f2", "chip0.global_bus"): [(196, 222)],
        ("f2", "chip0.pu0.bus"): [(185, 189), (222, 226)],
        # 2 * 768 inputs, 256 a cycle, and 2 for the pipeline
        ("f2", "chip0.pu0.sfu"): [(226, 234)],
        # 768 bytes: 1 on the bus, 6 on the global bus
        ("output", "chip0.pu0.bus"): [(234, 236)],
        ("output", "chip0.global_bus"): [(236, 244)],
    }
    assert end == 244


def test_energy_of_one_matrix() -> None:
    """Every action costs 1 pJ. The 8 x 4 weights take 32 bitlines of single-level cells, on two arrays."""
    result = simulate(
        load_hardware(MACHINES / "small.yaml"), read_trace(MACHINES / "matrix.trace"), stream=False
    )
    reads = 3 * 8  # tokens x input bits
    dynamic = {
        "analog.array": reads * 8 * 32,
        # each of the two arrays drives its 8 wordlines
        "analog.input_register": reads * 8 * 2,
        "analog.wordline_driver": reads * 8 * 2,
        "analog.sample_hold": reads * 32,
        # a conversion of 3 bits takes half of what one of the reference's 4 bits does
        "analog.adc": reads * 32 / 2,
        "analog.shift_add": reads * 32,
        "analog.output_register": reads * 32,
        # bits: inputs of 8 bytes, outputs of 4, on both buses
        "bus": 3 * 12 * 8,
        "global_bus": 3 * 12 * 8,
    }
    # 1 mW for each of 7 rows of the analog module, 6 of the digital one and the SFU, for 261 ns
    static = 14 * 261.0
    by_component = {name: energy for name, energy in result.energy_pj["by_component"].items() if energy}
    assert by_component == pytest.approx(dynamic | {"static": static})
    assert result.energy_pj["per_inference"] == pytest.approx(sum(dynamic.values()) + static)
