"""Attention on analog arrays: writes, products, room, energy and wear, by hand.

The arrays of the ClipFormer preset are 64 x 64 with 2 bits a cell, so that a number takes 4 cells. A read
takes 100 cycles and the 64 conversions behind it 50.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.part import NO_SIZE
from archsim.workload.operations import KINDS, Operation, Precision

Load = Callable[..., Machine]
Execute = Callable[..., Any]

PART = "pu.parts.attention"


@pytest.fixture(scope="module")
def clipformer(root: Path) -> Load:
    return cache(lambda *overrides: load_hardware(root / "hwconfigs/clipformer.yaml", overrides))


def scores(heads: int = 6, kv_heads: int = 6, head_size: int = 64) -> Operation:
    return Operation(
        "l0.scores", "attention_scores", 0, (), heads=heads, kv_heads=kv_heads, head_size=head_size
    )


def context(heads: int = 6, kv_heads: int = 6, head_size: int = 64) -> Operation:
    return Operation(
        "l0.context", "attention_context", 0, (), heads=heads, kv_heads=kv_heads, head_size=head_size
    )


def test_a_query_takes_a_read_for_each_bit_whatever_the_keys(clipformer: Load, execute: Execute) -> None:
    # 8 x 100; 100 + 7 x 100 + 50 + 1 + 1
    run = execute(clipformer().parts["attention"], scores(), [384, 384], keys=[1, 197, 1024])
    assert run.times == [(800, 852)] * 3
    assert (run.value.width.tolist(), run.value.bits) == ([6, 6 * 197, 6 * 1024], 12)
    assert run.resource.name == "chip0.pu0.attention.l0.scores"


def test_a_score_takes_a_read_for_each_of_its_bits(clipformer: Load, execute: Execute) -> None:
    # 12 x 100; 100 + 11 x 100 + 50 + 2
    run = execute(clipformer().parts["attention"], context(), [6 * 197, 384], keys=[197])
    assert run.times == [(1200, 1252)]
    assert (run.value.width, run.value.bits) == (384, 8)


def test_query_heads_that_share_keys_take_turns(clipformer: Load, execute: Execute) -> None:
    # 32 heads on 8: 4 x 8 reads
    run = execute(clipformer().parts["attention"], scores(32, 8), [2048, 512], keys=[5])
    assert run.times == [(3200, 3252)]


def test_actions_grow_with_the_keys(clipformer: Load, execute: Execute) -> None:
    # one head of 64 elements, 100 keys of 4 x 64 cells, 8 reads. Of 64 wordlines each of ceil(400 / 64) = 7
    # arrays is driven, 400 bitlines are converted; half of all bits are ones, as where powers hold
    one = execute(clipformer().parts["attention"], scores(1, 1), [64, 64], keys=[100])
    assert one.actions == {
        "attention.array.cell_read": 8 * 64 * 400,
        "attention.input_register.read": 8 * 64 * 7,
        "attention.wordline_driver.drive": 8 * 64 * 7,
        "attention.sample_hold.sample": 8 * 400,
        "attention.adc.mlc": 8 * 400,
        "attention.shift_add.add": 8 * 400,
        "attention.output_register.write": 8 * 400,
    }
    # values: 100 rows of 64 x 4 cells are 2 row blocks of 4 arrays, 12 reads
    other = execute(clipformer().parts["attention"], context(1, 1), [100, 64], keys=[100])
    assert other.actions["attention.array.cell_read"] == 12 * 100 * 256
    assert other.actions["attention.wordline_driver.drive"] == 12 * 100 * 4
    assert other.actions["attention.adc.mlc"] == 12 * 256 * 2
    tenth = clipformer(f"{PART}.activity.ones=0.05").parts["attention"]
    sparse = execute(tenth, context(1, 1), [100, 64], keys=[100])
    assert sparse.actions["attention.wordline_driver.drive"] == pytest.approx(120 * 4)
    assert sparse.actions["attention.adc.mlc"] == 12 * 256 * 2


def test_writing(clipformer: Load, store: Execute) -> None:
    # 384 numbers of 4 cells at 0.79 pJ, a line of 20 ns
    run = store(clipformer().parts["attention"], 384, count=3)
    assert run.times == [(20, 20)] * 3
    assert run.actions == {"attention.array.cell_write": 3 * 384 * 4}
    assert run.energy_pj == pytest.approx(3 * 384 * 4 * 0.79)
    # across the arrays, as many lines as a head has elements
    across = store(clipformer(f"{PART}.write_lines=64").parts["attention"], 384)
    assert across.times == [(1280, 1280)]
    assert across.energy_pj == pytest.approx(384 * 4 * 0.79)


def test_room(clipformer: Load) -> None:
    # 4 modules of 512 arrays; an array has 64 x 64 / 4 = 1024 numbers
    part = clipformer().parts["attention"]
    assert (part.unit, part.capacity) == ("arrays", 2048)
    assert [part.cache_size(nbytes) for nbytes in (1, 1024, 1025)] == [1, 1, 2]
    # 64 rows x 16 numbers an array over 8 reads of 100
    assert part.peak_macs_per_cycle(Precision()) == 2048 * 64 * 16 / 800


def test_cells_wear(clipformer: Load) -> None:
    table = clipformer().parts["attention"].costs
    assert (table.cells, table.write_action) == (512 * 64 * 64, "attention.array.cell_write")
    assert table.endurance_writes == 1e8
    (charge,) = table.actions["attention.array.cell_write"]
    assert (charge.component, charge.energy_pj) == ("attention.array", 0.79)


def test_executes_attention_and_no_other(clipformer: Load) -> None:
    part = clipformer().parts["attention"]
    for kind, what in KINDS.items():
        assert (part.refuses(Operation("x", kind, 0), Precision()) == "") == (what.family == "attention")
    assert part.refuses(Operation("x", "linear", 0), Precision()) == (
        "analog attention multiplies with keys and values only, not 'linear'"
    )
    assert (part.size(None), part.interval(None, Precision())) == (NO_SIZE, 0)
    assert (part.program([]).time_ns, part.program([]).energy_pj) == (0, 0)
    with pytest.raises(MappingError) as caught:
        part.read(None, None, None, None)
    assert str(caught.value) == (
        "'attention' holds keys and values as conductances, which other parts cannot read"
    )


def test_warns_of_a_coarse_adc(clipformer: Load) -> None:
    assert clipformer().parts["attention"].warnings([], Precision()) == ()
    assert clipformer(f"{PART}.adc.bits.mlc=6").parts["attention"].warnings([], Precision()) == (
        "attention: an ADC of 6 b in MLC mode is below the 7 b that 64 rows of 2-bit cells need: results "
        "lose precision",
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("reduction=bus", "reduction must be module: scores and contexts leave the arrays as sums"),
        (
            "array.wordlines_per_access=8",
            "array.wordlines_per_access is not offered for attention: leave it out",
        ),
        (
            "activity.ones=[0.5, 0.1]",
            "activity.ones must be one number: queries and scores have other bit-planes",
        ),
        ("write_lines=0", "must be at least 1, not 0"),
        ("adc.arrays_per_adc=3", "arrays (512) must be a multiple of adc.arrays_per_adc (3)"),
    ],
)
def test_broken_yaml(clipformer: Load, override: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        clipformer(f"{PART}.{override}")
    assert [finding.message for finding in caught.value.findings] == [message]
