"""Products on the preset's arrays, and how far they are from the exact ones.

Settings are values by their path below ``pu.parts.analog``; without a noise of its own a crossbar has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import archsim
from archsim.crossbar.coding import input_planes, quantise
from archsim.crossbar.deviation import deviation
from archsim.crossbar.ir_drop import kept_voltage
from archsim.crossbar.program import Crossbar, Programmed
from archsim.crossbar.reads import sum_range
from archsim.parts.analog_module import AnalogModuleModel

ROOT = Path(__file__).parents[2]
PART = "pu.parts.analog"
ROWS, COLUMNS, BATCH = 1024, 128, 64
SAMPLES = 8
MODES = {"SLC": 1.0, "MLC": 0.0}

Settings = dict[str, Any]

NO_ADC: Settings = {"adc.range": "calibrated", "adc.step_levels": 1 / 256, "adc.bits": {"slc": 16, "mlc": 16}}
"""Converters so fine, and with so many codes, that they do nothing."""


@dataclass(frozen=True)
class Outcome:
    """A product beside the exact one.

    Args: error: root mean square, relative to the spread of the exact elements, or to their mean where they
        are all alike; saturated: share of the conversions.
    """

    error: float
    saturated: float


@lru_cache
def normal_data() -> tuple[Any, Any]:
    """Weights (rows, columns) and inputs (batch, rows): normal, INT8, a scale an output and one for all."""
    draw = np.random.default_rng(1)
    weights = quantise(draw.standard_normal((ROWS, COLUMNS)), 8, "per_channel").values
    return weights, quantise(draw.standard_normal((BATCH, ROWS)), 8, "per_tensor").values


@lru_cache
def worst_data() -> tuple[Any, Any]:
    """All weights, and all inputs, as large as they can be."""
    return np.full((ROWS, 8), 127), np.full((1, ROWS), 127)


def preset_noise() -> Settings:
    """The noise of the preset."""
    chip = archsim.load_hardware(ROOT / "hwconfigs" / "hyflexpim.yaml")
    return Crossbar.of(chip).model.noise.model_dump(serialize_as_any=True)


def crossbar(slc_rate: float, settings: Settings | None = None, noise: Settings | None = None) -> Crossbar:
    """The preset's arrays with other settings."""
    overrides = {f"{PART}.{path}": value for path, value in (settings or {}).items()}
    overrides |= {f"{PART}.noise": noise or {}, "mapping.slc_rate": slc_rate}
    return Crossbar.of(archsim.load_hardware(ROOT / "hwconfigs" / "hyflexpim.yaml", overrides))


def model(settings: Settings | None = None) -> AnalogModuleModel:
    """The preset's module with other settings."""
    return crossbar(0.0, settings).model


def programmed(on: Crossbar, weights: Any, inputs: Any) -> Programmed:
    """A matrix in its cells; a converter that is calibrated has seen the first inputs."""
    samples = inputs[:SAMPLES] if on.model.adc.range == "calibrated" else None
    return on.program(weights, samples=samples)


def outcome(
    slc_rate: float, settings: Settings | None = None, noise: Settings | None = None, worst: bool = False
) -> Outcome:
    """A product on the preset's arrays with other settings."""
    weights, inputs = worst_data() if worst else normal_data()
    product = programmed(crossbar(slc_rate, settings, noise), weights, inputs).multiply(inputs)
    exact = inputs @ weights
    errors = deviation(product.values, exact)
    return Outcome(errors.rms / (errors.spread or exact.mean()), product.saturated / product.conversions)


def error_of_mean(slc_rate: float, noise: Settings, products: int) -> float:
    """Relative error of the mean of some products of one programmed matrix."""
    weights, inputs = normal_data()
    held = crossbar(slc_rate, None, noise).program(weights)
    mean = sum(held.multiply(inputs, seed=seed).values for seed in range(products)) / products
    return deviation(mean, inputs @ weights).relative_rms or 0.0


def largest_sum(slc_rate: float) -> int:
    """The largest sum of levels that the random data give on any bitline."""
    weights, inputs = normal_data()
    on = crossbar(slc_rate)
    cells = on.program(weights).pieces[0].cells
    return int(sum_range(input_planes(inputs, 8, on.model.arithmetic), cells)[1])


def kept_in_array(settings: Settings, wire_ohm: float) -> tuple[float, float, float]:
    """Voltage that the nearest cell, the mean one and the farthest one keep; half of the cells are on."""
    module = model(settings)
    device, array = module.cell.device, module.array
    on = np.random.default_rng(2).integers(0, 2, (array.rows, array.columns))
    siemens = np.where(on, 1.0, 1 / device.on_off_ratio) / device.on_ohm
    kept = kept_voltage(siemens, wire_ohm, module.noise.ir_drop.active_inputs)
    return float(kept[0, 0]), float(kept.mean()), float(kept[-1, -1])
