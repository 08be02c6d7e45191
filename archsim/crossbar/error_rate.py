"""How far cells deviate, and how often they are then read back wrongly: sigma, cell and bit error rate.

The levels of a cell are evenly spaced and equally frequent; a cell is read back with thresholds half way
between them. The bits of its levels are Gray-coded, so that neighbours differ in one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from archsim.cost.entry import Section
from archsim.crossbar.devices import clipformer_deviations, wan2022_deviations
from archsim.errors import CrossbarError
from archsim.parts.arithmetic import (
    AdditiveNoise,
    ClipformerNoise,
    DeviceModel,
    Gaussian,
    NoNoise,
    Wan2022Noise,
    WeightNoise,
)

SIGMAS = (1e-4, 1e9)
"""A sigma is looked for between these: the first gives no error at all, the last all that there can be."""


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How often cells are read back wrongly.

    Args: cell: share of the cells; bit: share of their Gray-coded bits.
    """

    cell: float
    bit: float


def error_rates(deviations: Sequence[float]) -> ErrorRates:
    """Error rates of a cell whose levels deviate normally.

    Args: deviations: standard deviation of each level, in steps; 2^bits of them.
    """
    top = len(deviations) - 1
    cell = bit = 0.0
    for level, sigma in enumerate(deviations):
        for read, share in _misread(level, top, sigma):
            cell += share
            bit += share * (_gray(level) ^ _gray(read)).bit_count()
    return ErrorRates(cell / (top + 1), bit / (top + 1) / top.bit_length())


def sigma_of(model: Gaussian, cell_bits: int) -> float:
    """Standard deviation in cells of ``cell_bits``: relative to the level, or in steps between levels.

    Raises: CrossbarError: when no sigma gives the error rate.
    """
    bits = model.cell_bits or cell_bits
    sigma = _given_or_found(model, bits)
    if isinstance(model, AdditiveNoise):
        sigma *= ((1 << cell_bits) - 1) / ((1 << bits) - 1)
    return sigma


def deviations(model: Section, cell_bits: int, device: DeviceModel | None = None) -> tuple[float, ...]:
    """Standard deviation of each level, in steps, for the kinds of noise that act on single cells.

    Raises: CrossbarError: when the kind needs a device, or no sigma gives the error rate.
    """
    if isinstance(model, Gaussian):
        sigma = sigma_of(model, cell_bits)
        return tuple(sigma * each for each in _unit(model, cell_bits))
    if isinstance(model, ClipformerNoise):
        return clipformer_deviations(cell_bits, model.gamma * model.sigma)
    if isinstance(model, Wan2022Noise):
        return wan2022_deviations(needed_device(device, model.kind), cell_bits, model.seconds)
    assert isinstance(model, NoNoise), f"{type(model).__name__} does not act on single cells"
    return (0.0,) * (1 << cell_bits)


def needed_device(device: DeviceModel | None, what: str) -> DeviceModel:
    """The device, for noise that depends on conductances.

    Raises: CrossbarError: when there is none.
    """
    if device is None:
        raise CrossbarError(
            f"{what} depends on the conductances of the cells: give cell.device, with on_ohm and on_off_ratio"
        )
    return device


def describe(model: Section, cell_bits: int, device: DeviceModel | None = None) -> str:
    """Noise in words, its sigma and its error rates side by side.

    Raises: CrossbarError: as ``deviations`` does.
    """
    if isinstance(model, NoNoise):
        return "none"
    if isinstance(model, WeightNoise):
        alike = error_rates([model.sigma * level for level in range(2**cell_bits)])
        return (
            f"{model.kind}: sigma {model.sigma:.3g} of whole weights; the same of single cells misreads "
            f"{_rates(alike, cell_bits)}"
        )
    each = deviations(model, cell_bits, device)
    rates = _rates(error_rates(each), cell_bits)
    return f"{_kind(model)}: {_sigma(model, cell_bits, each)}, misreads {rates}"


def _given_or_found(model: Gaussian, bits: int) -> float:
    """Sigma in cells of ``bits``."""
    if model.sigma is not None:
        return model.sigma
    name = "bit_error_rate" if model.cell_error_rate is None else "cell_error_rate"
    wanted, unit = getattr(model, name), _unit(model, bits)
    most = _rate(name, unit, SIGMAS[1])
    if wanted >= most:
        raise CrossbarError(
            f"{name}: {wanted:g} is more than {_kind(model)} can give in {bits}-bit cells, however large "
            f"sigma is: it must be below {most:.4g}"
        )
    return _sigma_for(name, unit, wanted)


@lru_cache(maxsize=64)
def _sigma_for(name: str, unit: tuple[float, ...], wanted: float) -> float:
    """The sigma that gives an error rate, by bisection: rates rise with sigma."""
    low, high = SIGMAS
    while high > low * (1 + 1e-12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _rate(name, unit, middle) < wanted else (low, middle)
    return math.sqrt(low * high)


def _rate(name: str, unit: tuple[float, ...], sigma: float) -> float:
    found = error_rates([sigma * each for each in unit])
    return found.bit if name == "bit_error_rate" else found.cell


def _unit(model: Gaussian, cell_bits: int) -> tuple[float, ...]:
    """Standard deviation of each level for a sigma of 1."""
    levels = range(2**cell_bits)
    return tuple(1.0 if isinstance(model, AdditiveNoise) else float(level) for level in levels)


def _misread(level: int, top: int, sigma: float) -> Iterator[tuple[int, float]]:
    """Each wrong level that may be read, with its share."""
    for read in range(top + 1) if sigma else ():
        if read != level:
            away = abs(read - level)
            beyond = 0.0 if read in (0, top) else _tail((away + 0.5) / sigma)
            yield read, _tail((away - 0.5) / sigma) - beyond


def _tail(x: float) -> float:
    """Share of a standard normal variable above x."""
    return math.erfc(x / math.sqrt(2)) / 2


def _gray(level: int) -> int:
    return level ^ (level >> 1)


def _kind(model: Section) -> str:
    return str(getattr(model, "kind", ""))


def _sigma(model: Section, cell_bits: int, each: Sequence[float]) -> str:
    if isinstance(model, Gaussian):
        of = "a step between levels" if isinstance(model, AdditiveNoise) else "the level"
        return f"sigma {sigma_of(model, cell_bits):.3g} of {of}"
    return f"sigma {min(each):.3g} to {max(each):.3g} of a step between levels"


def _rates(rates: ErrorRates, cell_bits: int) -> str:
    cells = f"{_percent(rates.cell)} of {cell_bits}-bit cells"
    return cells if cell_bits == 1 else f"{cells}, {_percent(rates.bit)} of their Gray-coded bits"


def _percent(share: float) -> str:
    """A rate; one that no number of cells would show is not spelled out."""
    return f"{100 * share:.3g} %" if share == 0 or share >= 1e-20 else "less than 1e-18 %"
