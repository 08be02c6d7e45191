"""Coding of numbers and noise, as a YAML says them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archsim.errors import HardwareError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.arithmetic import ArithmeticModel, MultiplicativeNoise, NoiseModel, NoNoise

NOISE = "pu.parts.analog.noise"


@pytest.mark.parametrize(
    ("weights", "weight_bits", "cell_bits", "cells"),
    [
        ("offset", 8, 1, 8),
        ("offset", 8, 2, 4),
        # 8 bits in 3-bit cells: 3 + 3 + 2
        ("offset", 8, 3, 3),
        ("twos_complement", 8, 1, 8),
        # seven bits of magnitude, twice
        ("differential", 8, 1, 14),
        ("differential", 8, 2, 8),
        ("differential", 8, 4, 4),
        # a weight of one bit is a sign without magnitude: it takes a cell on either side
        ("differential", 1, 1, 2),
        ("offset", 1, 4, 1),
    ],
)
def test_cells_of_a_weight(weights: Any, weight_bits: int, cell_bits: int, cells: int) -> None:
    assert ArithmeticModel(weights=weights).cells_per_weight(weight_bits, cell_bits) == cells


@pytest.mark.parametrize(
    ("inputs", "bits", "reads"),
    [
        ("twos_complement", 8, 8),
        ("unsigned", 8, 8),
        ("sign_magnitude", 8, 7),
        ("two_pass", 8, 14),
        ("sign_magnitude", 1, 1),
        ("two_pass", 1, 2),
    ],
)
def test_reads_of_an_input(inputs: Any, bits: int, reads: int) -> None:
    assert ArithmeticModel(inputs=inputs).reads_per_input(bits) == reads


def test_the_preset_has_the_noise_of_the_paper(load: Callable[..., Machine]) -> None:
    noise = load().parts["analog"].model.noise
    assert isinstance(noise.write, MultiplicativeNoise)
    assert (noise.write.bit_error_rate, noise.write.cell_bits) == (0.0404, 2)
    assert noise.written_to(2) is noise.write
    assert noise.written_to(1).sigma == 0.025
    assert noise.write.sources and noise.slc_write.sources
    assert isinstance(noise.read, NoNoise)


def test_noise_is_turned_off_with_one_word(load: Callable[..., Machine]) -> None:
    noise = load(f"{NOISE}.write=none", f"{NOISE}.slc_write=same").parts["analog"].model.noise
    assert isinstance(noise.written_to(1), NoNoise)
    assert isinstance(load(f"{NOISE}.slc_write=none").parts["analog"].model.noise.slc_write, NoNoise)
    assert NoiseModel.model_validate({"write": "none", "read": "none"}) == NoiseModel()


def test_what_needs_the_conductances_of_a_cell() -> None:
    def needs(**noise: Any) -> str:
        return NoiseModel.model_validate(noise).needs_device

    assert needs() == ""
    assert needs(write={"kind": "clipformer_write", "gamma": 3.0, "sigma": 0.1}) == ""
    assert needs(write={"kind": "rram_wan2022", "seconds": 1.0}) == "noise.write of the kind rram_wan2022"
    assert (
        needs(slc_write={"kind": "rram_wan2022", "seconds": 1.0})
        == "noise.slc_write of the kind rram_wan2022"
    )
    assert needs(ir_drop={"wire_ohm": 1.0}) == "noise.ir_drop with a wire_ohm"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [f"{NOISE}.write.sigma=0.1"],
            "give one of sigma, cell_error_rate, bit_error_rate, not sigma and bit_error_rate",
        ),
        (
            [f"{NOISE}.write.bit_error_rate=null"],
            "give one of sigma, cell_error_rate, bit_error_rate, not none",
        ),
        (
            [f"{NOISE}.stuck.lowest=0.6", f"{NOISE}.stuck.highest=0.5"],
            "lowest (0.6) and highest (0.5) must not exceed 1 together",
        ),
        (
            [f"{NOISE}.write.kind=gaussian_multiplicativ"],
            "must be a kind of write noise, one of: clipformer_write, gaussian_additive, "
            "gaussian_multiplicative, gaussian_weight, none, rram_wan2022, not 'gaussian_multiplicativ' "
            "(did you mean 'gaussian_multiplicative'?)",
        ),
        (
            ["pu.parts.analog.cell.device=null", f"{NOISE}.ir_drop.wire_ohm=1"],
            "noise.ir_drop with a wire_ohm depends on the conductances of the cells: give cell.device, with "
            "on_ohm and on_off_ratio",
        ),
        ([f"{NOISE}.write.bit_error_rate=0.5"], "must be less than 0.5, not 0.5"),
        ([f"{NOISE}.write.sigma=.inf", f"{NOISE}.write.bit_error_rate=null"], "must be a finite number"),
    ],
)
def test_wrong_noise_is_an_error(root: Any, overrides: list[str], message: str) -> None:
    with pytest.raises(HardwareError) as error:
        load_hardware(root / "hwconfigs" / "hyflexpim.yaml", overrides)
    assert message in str(error.value)
