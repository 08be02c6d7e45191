"""Room that a section takes of each PU: arrays for weights, bytes for what an inference leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from archsim.hardware.machine import Machine
from archsim.mapping.demand import Sizing
from archsim.workload.generate import generate

MachineOf = Callable[..., Machine]


def layer_arrays(machine: Machine, model: str, pus: int) -> list[int]:
    sizing = Sizing(machine, generate(model, tokens=8, head=False))
    layer = next(section for section in sizing.models if section.layer == 0)
    return [demand.weights.units for demand in sizing.demand(layer, pus)]


# Arrays of 64 x 128 cells; an 8-bit weight takes 8 cells as SLC, 4 as 2-bit MLC. BERT-Large, 1024 and 4096.
# No SVD, all SLC: 16 row blocks x 64 column blocks for each of the 12 squares of 1024 = 12288.
# 5 % SLC, no SVD: 52 of 1024 columns are 416 cells = 4 blocks, 972 are 3888 = 31: 16 * 35 = 560, four times;
#   ffn1: 205 of 4096 = 1640 cells = 13, 3891 = 15564 = 122: 16 * 135 = 2160; ffn2: 64 * 35 = 2240: 6640.
# SVD, all SLC: rank 512: 16 * 32 + 8 * 64 = 1024, four times; rank 819 (52 blocks across, 13 down):
#   ffn1 16 * 52 + 13 * 256 = 4160, ffn2 64 * 52 + 13 * 64 = 4160: 12416.
# SVD, 5 %: 26 + 486 ranks: 16 * (2 + 16) + (1 + 8 down: 1 * 64 + 8 * 32) = 288 + 320 = 608, four times;
#   41 + 778 ranks: ffn1 16 * (3 + 25) + 256 + 13 * 128 = 2368, ffn2 64 * 28 + 64 + 13 * 32 = 2272: 7072.
@pytest.mark.parametrize(
    ("svd", "slc_rate", "arrays"),
    [("none", 1, 12288), ("none", 0.05, 6640), ("hard_threshold", 1, 12416), ("hard_threshold", 0.05, 7072)],
)
def test_arrays_of_a_bert_large_layer(machine_of: MachineOf, svd: str, slc_rate: float, arrays: int) -> None:
    machine = machine_of(f"mapping.svd={svd}", f"mapping.slc_rate={slc_rate}")
    assert layer_arrays(machine, "bert_large", 1) == [arrays]


# Llama-3.2-1B, all MLC without SVD: 32 weights a row of an array, 64 rows: 2048 weights. 60.8 M weights
# are 29696 whole arrays: q, o 2048 * 2048 = 2048 arrays, k, v 512 each, gate, up, down 8192 each.
def test_arrays_of_a_llama_layer(machine_of: MachineOf) -> None:
    machine = machine_of("mapping.svd=none", "mapping.slc_rate=0")
    assert layer_arrays(machine, "llama3_2_1b", 1) == [29696]
    assert layer_arrays(machine, "llama3_2_1b", 4) == [7424] * 4
    # 3 PUs: q 768, 768, 512 columns = 24, 24, 16 blocks of 32 rows of arrays: 768, 768, 512; k and v 192,
    # 192, 128 = 192, 192, 128; gate and up 2731, 2731, 2730 = 86 blocks * 32 = 2752; rows of o 768, 768,
    # 512 = 12, 12, 8 blocks * 64 = 768, 768, 512; rows of down 2731 = 43 blocks * 64 = 2752
    assert layer_arrays(machine, "llama3_2_1b", 3) == [
        768 + 2 * 192 + 2 * 2752 + 768 + 2752,
        768 + 2 * 192 + 2 * 2752 + 768 + 2752,
        512 + 2 * 128 + 2 * 2752 + 512 + 2752,
    ]


# BERT-Large, 128 tokens: K and V 2 * 1024 * 128 B; queries and residual vectors 1024 * 128 B each; scores
# of 16 slots 16 heads * 128 keys * 12 bits = 49152 B
def test_bytes_of_an_inference(machine_of: MachineOf) -> None:
    sizing = Sizing(machine_of(), generate("bert_large", tokens=128, head=False))
    (demand,) = sizing.demand(sizing.models[-1], 1)
    assert demand.keys_values == 262144
    assert demand.others == 262144 + 49152
    assert demand.nbytes == 573440
    assert sizing.values(demand) == {"digital": 573440}


# GPT-2 on 2 PUs, 3 sequences of 50 keys and 10 steps: K and V 2 * 384 * 60 * 3 = 138240 B a PU; queries
# 384 * 3, scores of 6 heads 6 * 60 * 16 slots * 1.5 B = 8640, residual vectors 768 * 3 on the root alone
def test_bytes_of_a_decode(machine_of: MachineOf) -> None:
    sizing = Sizing(machine_of(), generate("gpt2", tokens=0, decode=10, context=50, batch=3, head=False))
    root, other = sizing.demand(sizing.models[-1], 2)
    assert root.keys_values == other.keys_values == 138240
    assert (root.others, other.others) == (1152 + 8640 + 2304, 1152 + 8640)


# 12 heads on 24 PUs: half of them have none, and keep no keys
def test_a_pu_without_heads_stores_nothing(machine_of: MachineOf) -> None:
    sizing = Sizing(machine_of(), generate("bert_base", tokens=8, head=False))
    demands = sizing.demand(sizing.models[-1], 24)
    assert demands[11].nbytes > 0
    assert demands[12].nbytes == 0
    assert demands[12].weights.units > 0


def test_ideal_counts_cells(machine_of: MachineOf) -> None:
    sizing = Sizing(machine_of("mapping.slc_rate=1"), generate("bert_large", tokens=8, head=False))
    (demand,) = sizing.demand(sizing.models[-1], 1)
    # four squares of rank 512 fill 1024 arrays' cells each; two of rank 819 hold 819 * 5120 weights
    assert demand.weights.exact == 4 * 1024 + 2 * Fraction(819 * 5120, 1024)
    assert not sizing.shortages([demand])


def test_whole_counts_arrays(machine_of: MachineOf) -> None:
    machine = machine_of("mapping.slc_rate=1", "mapping.replication=whole")
    sizing = Sizing(machine, generate("bert_large", tokens=8, head=False))
    (shortage,) = sizing.shortages(sizing.demand(sizing.models[-1], 1))
    assert str(shortage) == "12416 arrays of 'analog', a PU has 12288: 128 short"
