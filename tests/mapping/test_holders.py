"""Which part holds weights, keys and values, and intermediate results where several are allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archsim.errors import MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.mapping.plan import Holders
from archsim.workload.generate import generate
from archsim.workload.operations import Trace

# MiniLM at 128 tokens, a layer: queries and residual vectors of 384 bytes, and scores of 12 bits for 12
# heads and 128 keys of 128 tokens in flight; keys and values; six layers of 12 * 384^2 weights
OTHERS = 2 * 128 * 384 + 12 * 128 * 128 * 12 // 8
KEYS_VALUES = 2 * 128 * 384
WEIGHTS = 6 * 12 * 384**2


@pytest.fixture
def non_pim(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    """The preset with overrides; its errors name ``non_pim.yaml``."""
    monkeypatch.chdir(root / "hwconfigs")
    return lambda *overrides: load_hardware("non_pim.yaml", list(overrides))


def minilm() -> Trace:
    return generate("minilm", tokens=128, head=False)


@pytest.mark.parametrize(
    ("sram_bytes", "weights", "keys_values", "others"),
    [
        (OTHERS - 1, "dram", "sram", "dram"),
        (OTHERS, "dram", "dram", "sram"),
        (OTHERS + KEYS_VALUES - 1, "dram", "dram", "sram"),
        (OTHERS + KEYS_VALUES, "dram", "sram", "sram"),
        (OTHERS + KEYS_VALUES + WEIGHTS - 1, "dram", "sram", "sram"),
        (OTHERS + KEYS_VALUES + WEIGHTS, "sram", "sram", "sram"),
    ],
)
def test_the_first_that_fits(
    non_pim: Callable[..., Machine], sram_bytes: int, weights: str, keys_values: str, others: str
) -> None:
    machine = non_pim("pu.parts.sram.count=1", f"pu.parts.sram.bank_bytes={sram_bytes}")
    plan = map_trace(machine, minilm())
    assert plan.holders == Holders(weights, keys_values, others)
    used = {"sram": 0, "dram": 0}
    for holder, need in ((weights, WEIGHTS), (keys_values, KEYS_VALUES), (others, OTHERS)):
        used[holder] += need
    assert {name: use.used for name, use in plan.parts.items()} == used
    held = {one.part for group in plan.groups for step in group.steps for one in step.held if one}
    assert held == {weights}


def test_layers_take_turns_with_a_processor(non_pim: Callable[..., Machine]) -> None:
    """Six layers on one PU need the room of one; on HyFlexPIM they would need that of six."""
    plan = map_trace(non_pim(), minilm())
    assert plan.parts["sram"].used == OTHERS + KEYS_VALUES
    assert plan.groups[1].bytes_per_inference == OTHERS + KEYS_VALUES
    # 8 MiB hold the values of 17 inferences of 491520 bytes
    assert {group.slots for group in plan.groups if group.bytes_per_inference} == {17}


def test_a_decode_keeps_the_cache_of_each_layer(non_pim: Callable[..., Machine]) -> None:
    trace = generate("gpt2", tokens=16, decode=4, head=False)
    plan = map_trace(non_pim(), trace)
    # 12 layers of keys and values for 20 tokens; one layer's queries and residuals of 16 tokens and scores
    cache = 12 * 2 * 20 * 768
    assert plan.parts["sram"].used == cache + 2 * 16 * 768 + 12 * 20 * 128 * 12 // 8


def test_pus_share_what_their_chip_has(non_pim: Callable[..., Machine]) -> None:
    # two chips of three PUs, a layer each: half of the weights in each chip's DRAM
    small = ("pu.parts.sram.count=1", f"pu.parts.sram.bank_bytes={OTHERS + KEYS_VALUES}", "chip.pus=3")
    fits = ("system.chips=2", "chip.parts.dram.count=1", f"chip.parts.dram.bank_bytes={WEIGHTS // 2}")
    plan = map_trace(non_pim(*small, *fits), minilm())
    assert (plan.chips_used, plan.parts["dram"].used, plan.parts["dram"].total) == (2, WEIGHTS, WEIGHTS)
    assert plan.parts["sram"].total == 6 * (OTHERS + KEYS_VALUES)


def error(machine: Machine, trace: Trace) -> str:
    with pytest.raises(MappingError) as caught:
        map_trace(machine, trace)
    return str(caught.value)


def test_a_chip_without_room(non_pim: Callable[..., Machine]) -> None:
    # DRAM for all weights but one byte, and SRAM for all else
    small = ("pu.parts.sram.count=1", f"pu.parts.sram.bank_bytes={OTHERS + KEYS_VALUES}")
    only = ("mapping.attention.held=sram", "mapping.intermediates=sram", "mapping.linear.held=dram")
    machine = non_pim(*small, *only, "chip.parts.dram.count=1", f"chip.parts.dram.bank_bytes={WEIGHTS - 1}")
    assert error(machine, minilm()) == (
        "non_pim.yaml: system.chips: minilm needs 10616832 bytes of 'dram', the machine has 10616831: 1 short"
        "; the smallest system.chips that would do is 2"
    )


def test_a_model_larger_than_the_dram(non_pim: Callable[..., Machine]) -> None:
    # 32 layers of 2 * 4096^2 + 2 * 4096 * 1024 + 4096 * 8 + 8 * 3 * 4096 * 14336 weights; of one layer,
    # 2 * 8 * 1024 of K and V, 2 * 8 * 4096 of Q and residual, 32 * 8 * 128 * 1.5 of scores
    assert error(non_pim(), generate("mixtral_8x7b", tokens=8, head=False)) == (
        "non_pim.yaml: system.chips: mixtral_8x7b needs 46440513536 bytes of 'dram', the machine has "
        "6280000000: 40160513536 short; the smallest system.chips that would do is 8"
    )


def test_values_without_room(non_pim: Callable[..., Machine]) -> None:
    machine = non_pim(
        "mapping.intermediates=sram", "pu.parts.sram.count=1", "pu.parts.sram.bank_bytes=100000"
    )
    assert error(machine, minilm()) == (
        "non_pim.yaml: chip.pus: l0 does not fit the 1 PU of a chip: the fullest needs 393216 bytes of "
        "'sram', a PU has 100000: 293216 short; no number of chips would do, the smallest chip.pus that "
        "would is 12"
    )


def test_a_pruner_without_room(root: Path) -> None:
    machine = load_hardware(root / "hwconfigs/sprint.yaml", ["pu.parts.pruner.bank_bytes=24575"])
    # half of a layer's 128 keys of 384 bytes
    assert "the fullest needs 24576 bytes of 'pruner', a PU has 24575: 1 short" in error(machine, minilm())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "mapping.linear=processor",
            "mapping.linear: part 'processor' holds no weights: name the part that does in "
            "mapping.linear.held",
        ),
        (
            "mapping.attention=processor",
            "mapping.attention: part 'processor' stores nothing, but keys and values must wait in it",
        ),
        (
            "mapping.intermediates=sfu",
            "mapping.intermediates: part 'sfu' stores nothing, but queries, scores and residual vectors must "
            "wait in it",
        ),
        (
            "mapping.linear=sram",
            "mapping.linear: l0.q (linear) cannot run on part 'sram': a memory executes nothing, and "
            "'linear' is to be executed",
        ),
        (
            "mapping.attention.pruner=sfu",
            "mapping.attention.pruner: part 'sfu' cannot prune keys: sfu.passes does not say how often "
            "'attention_scores' streams its inputs (it has: add, argmax, combine, gelu, layernorm, multiply, "
            "rmsnorm, rotary, route, silu, softmax, tanh)",
        ),
    ],
)
def test_parts_that_cannot_do_what_they_are_for(
    non_pim: Callable[..., Machine], change: str, message: str
) -> None:
    assert f"non_pim.yaml: {message}" in error(non_pim(change), minilm()).split("\n")
