"""What becomes of the levels that are written into cells: the devices' deviations, frozen until a rewrite.

In this order: the level that should be written, complemented where the column is; write noise; stuck cells;
the current of the lowest level, where it is kept; the voltage lost along the wires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Section
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Int64
from archsim.crossbar.devices import off_level
from archsim.crossbar.error_rate import deviations
from archsim.crossbar.ir_drop import kept_shares
from archsim.parts.analog_module import AnalogModuleModel
from archsim.parts.arithmetic import DeviceModel, StuckCells, Wan2022Noise, WeightNoise

Float32 = NDArray[np.float32]

WRITE, STUCK = 0, 1
"""Which deviations a stream of random numbers is for: each has its own, whatever else is drawn."""


def written(cells: Cells, weights: Int64, model: AnalogModuleModel, seed: Sequence[int]) -> Cells:
    """The cells with their conductances, where the machine's noise leaves them inexact.

    Args: cells: as they should be; weights: (rows, columns) that they stand for; seed: of the deviations.
    Raises: CrossbarError: when the noise needs a device, or no sigma gives its error rate.
    """
    noise, device = model.noise, model.cell.device
    write = noise.written_to(cells.cell_bits)
    levels = cells.levels.astype(np.float32)
    if isinstance(write, WeightNoise):
        levels += _of_weights(cells, weights, write.sigma, _draws(seed, WRITE))
    else:
        levels = _of_cells(cells, levels, write, device, _draws(seed, WRITE))
    if noise.stuck.lowest or noise.stuck.highest:
        _stick(levels, cells.top, noise.stuck, _draws(seed, STUCK))
    shares = kept_shares(levels, cells, model) if noise.ir_drop.wire_ohm else None
    if device is not None and device.off_current == "kept":
        levels += np.float32(off_level(device, cells.cell_bits))
    if shares is not None:
        levels *= shares
    return cells if np.array_equal(levels, cells.levels) else replace(cells, conductance=levels)


def _draws(seed: Sequence[int], purpose: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the purpose alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([*seed, purpose])))


def _of_cells(
    cells: Cells, levels: Float32, model: Section, device: DeviceModel | None, draws: np.random.Generator
) -> Float32:
    """Levels of cells that deviate by themselves, each as its level does."""
    sigma = np.array(deviations(model, cells.cell_bits, device), dtype=np.float32)
    if not sigma.any():
        return levels
    noisy = draws.standard_normal(levels.shape, dtype=np.float32)
    noisy *= sigma[cells.levels]
    noisy += levels
    if isinstance(model, Wan2022Noise) and device is not None:
        np.maximum(noisy, np.float32(-off_level(device, cells.cell_bits)), out=noisy)
    return noisy


def _of_weights(cells: Cells, weights: Int64, sigma: float, draws: np.random.Generator) -> Float32:
    """Deviations for which the cells of each weight w together stand for w (1 + eta) exactly.

    They are in proportion to the levels ahead of complementing; where those are all 0, which is the most
    negative weight of the offset coding, all of a weight's cells deviate alike.
    """
    change = draws.standard_normal(weights.shape) * sigma * weights
    heights = np.diff(np.append(np.arange(0, len(weights), cells.block_rows), len(weights)))
    flipped = np.repeat(cells.flipped, heights, axis=0).transpose(1, 0, 2)
    levels = np.where(flipped, cells.top - cells.levels, cells.levels).astype(np.float64)
    stored = np.tensordot(cells.weight.astype(np.float64), levels, axes=1)
    share = np.divide(change, stored, out=np.zeros_like(change), where=stored != 0)
    alike = np.where(stored == 0, change, 0) / np.abs(cells.weight).sum()
    deviation: Float32 = (np.where(flipped, -1, 1) * (levels * share + alike)).astype(np.float32)
    return deviation


def _stick(levels: Float32, top: int, stuck: StuckCells, draws: np.random.Generator) -> None:
    """Put a share of the cells at the lowest level, another at the highest."""
    chance = draws.random(levels.shape, dtype=np.float32)
    levels[chance < stuck.lowest] = 0
    levels[chance >= 1 - stuck.highest] = top
