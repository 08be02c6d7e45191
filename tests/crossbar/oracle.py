"""What arrays compute, slow and obvious: number by number, as it is defined, with no code of archsim.

A matrix is cut into the cells of each weight, an input into its reads. Every bitline of every block of rows
gives a sum of levels for every access, the converter makes it a code, and codes are shifted and added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Adc:
    """A converter.

    Args: range: ``clip``, ``flip``, ``full_scale`` or ``calibrated``; step: levels a code, or what the range
        says; sampled: least and largest sum of the samples of a calibrated one.
    """

    bits: int
    range: str = "clip"
    step: float | None = None
    nearest: bool = True
    offset: float = 0.0
    gain: float = 0.0
    inl: Sequence[float] = ()
    sampled: tuple[float, float] = (0, 0)


@dataclass(frozen=True)
class Setup:
    """Cells, codings, blocks of rows, and the converter of one mode."""

    adc: Adc
    cell_bits: int = 1
    weights: str = "offset"
    inputs: str = "twos_complement"
    weight_bits: int = 8
    input_bits: int = 8
    block_rows: int = 64
    access_rows: int | None = None


@dataclass
class Answer:
    """A product, (batch, columns), with the conversions that it took and those of them that saturated."""

    values: np.ndarray
    conversions: int = 0
    saturated: int = 0
    sums: list[float] = field(default_factory=list)


def multiply(weights: Any, inputs: Any, setup: Setup, conductance: Any = None) -> Answer:
    """Inputs (batch, rows) times weights (rows, columns), both of whole numbers.

    Args: conductance: (cells of a weight, rows, columns), what cells hold instead of the levels that are
        stored in them.
    """
    weights, inputs = np.asarray(weights), np.asarray(inputs)
    answer = Answer(np.zeros((len(inputs), weights.shape[1])))
    for column in range(weights.shape[1]):
        digits = [digits_of(int(weight), setup) for weight in weights[:, column]]
        for cell, count in enumerate(digit_counts(setup)):
            levels = [of_weight[cell] for of_weight in digits]
            held = None if conductance is None else conductance[cell, :, column]
            for block in range(0, len(levels), setup.block_rows):
                rows = slice(block, block + setup.block_rows)
                bitline = _Bitline(levels[rows], None if held is None else held[rows], setup)
                for number, vector in enumerate(inputs):
                    for driven, read_count in reads_of(vector[rows], setup):
                        for access in accesses_of(driven, setup):
                            answer.values[number, column] += count * read_count * bitline.read(access, answer)
    if setup.weights == "offset":
        answer.values -= 2 ** (setup.weight_bits - 1) * inputs.sum(axis=1)[:, np.newaxis]
    return answer


class _Bitline:
    """The cells of one column of one array, complemented where that makes their sum smaller."""

    def __init__(self, levels: list[int], held: Any, setup: Setup) -> None:
        self.setup, self.top = setup, 2**setup.cell_bits - 1
        self.complemented = setup.adc.range == "flip" and sum(levels) > len(levels) * self.top / 2
        stored = [self.top - level if self.complemented else level for level in levels]
        self.cells = stored if held is None else [float(level) for level in held]

    def read(self, access: list[int], answer: Answer) -> float:
        """The sum of levels that a conversion stands for."""
        total = sum(driven * level for driven, level in zip(access, self.cells, strict=True))
        value, saturated = convert(total, self.setup)
        answer.sums.append(total)
        answer.conversions += 1
        answer.saturated += saturated
        return self.top * sum(access) - value if self.complemented else value


def digit_counts(setup: Setup) -> list[int]:
    """What a level counts in each cell of a weight; differential has the positive cells first."""
    if setup.weights == "differential":
        counts = [2**shift for shift in range(0, setup.weight_bits - 1, setup.cell_bits)]
        return counts + [-count for count in counts]
    counts = [2**shift for shift in range(0, setup.weight_bits, setup.cell_bits)]
    if setup.weights == "twos_complement":
        counts[-1] = -counts[-1]
    return counts


def digits_of(weight: int, setup: Setup) -> list[int]:
    """The levels of a weight's cells."""
    if setup.weights == "differential":
        count = math.ceil((setup.weight_bits - 1) / setup.cell_bits)
        return _digits(max(weight, 0), count, setup) + _digits(max(-weight, 0), count, setup)
    if setup.weights == "offset":
        weight += 2 ** (setup.weight_bits - 1)
    elif weight < 0:
        weight += 2**setup.weight_bits
    return _digits(weight, math.ceil(setup.weight_bits / setup.cell_bits), setup)


def _digits(number: int, count: int, setup: Setup) -> list[int]:
    digits = []
    for _ in range(count):
        number, digit = divmod(number, 2**setup.cell_bits)
        digits.append(digit)
    return digits


def reads_of(vector: Any, setup: Setup) -> Iterator[tuple[list[int], int]]:
    """What each read drives on the wordlines, and what it counts."""
    numbers, bits = [int(number) for number in vector], setup.input_bits
    if setup.inputs == "twos_complement":
        for bit in range(bits):
            count = -(2**bit) if bit == bits - 1 else 2**bit
            yield [number % 2**bits // 2**bit % 2 for number in numbers], count
    elif setup.inputs == "unsigned":
        for bit in range(bits):
            yield [number // 2**bit % 2 for number in numbers], 2**bit
    elif setup.inputs == "sign_magnitude":
        for bit in range(max(bits - 1, 1)):
            yield [(abs(number) // 2**bit % 2) * (-1 if number < 0 else 1) for number in numbers], 2**bit
    else:
        for sign in (1, -1):
            for bit in range(max(bits - 1, 1)):
                yield [max(sign * number, 0) // 2**bit % 2 for number in numbers], sign * 2**bit


def accesses_of(driven: list[int], setup: Setup) -> Iterator[list[int]]:
    """The wordlines of each access of a read; without a limit there is one, with a limit perhaps none."""
    if setup.access_rows is None:
        yield driven
        return
    ones = [row for row, value in enumerate(driven) if value]
    for first in range(0, len(ones), setup.access_rows):
        chosen = ones[first : first + setup.access_rows]
        yield [value if row in chosen else 0 for row, value in enumerate(driven)]


def convert(total: float, setup: Setup) -> tuple[float, bool]:
    """The sum that the code stands for, and whether the code was the last one."""
    adc = setup.adc
    lowest, highest, step, zero = codes(setup)
    ideal = (total - zero) / step
    code = ideal + _bend(ideal, lowest, highest, adc.inl) + ideal * adc.gain + adc.offset
    code = math.floor(code + 0.5) if adc.nearest else math.floor(code)
    kept = min(max(code, lowest), highest)
    return kept * step + zero, kept != code


def codes(setup: Setup) -> tuple[int, int, float, float]:
    """Lowest and highest code, levels a code, and the sum that code 0 stands for."""
    adc, values = setup.adc, 2**setup.adc.bits
    bipolar = setup.inputs == "sign_magnitude"
    lowest, highest = (-values // 2, values // 2 - 1) if bipolar else (0, values - 1)
    if adc.range == "calibrated":
        least, most = math.floor(adc.sampled[0]), math.ceil(adc.sampled[1])
        step = adc.step or max(1, (most - least) / (values - 1))
        return lowest, highest, step, least - lowest * step
    if adc.range == "full_scale" and adc.step is None:
        rows = min(setup.block_rows, setup.access_rows or setup.block_rows)
        return lowest, highest, rows * (2**setup.cell_bits - 1) / max(highest, 1), 0
    return lowest, highest, adc.step or 1, 0


def _bend(ideal: float, lowest: int, highest: int, errors: Sequence[float]) -> float:
    """The integral non-linearity at a code: straight lines between errors at equal distances."""
    if len(errors) < 2 or ideal <= lowest:
        return errors[0] if errors else 0
    if ideal >= highest:
        return errors[-1]
    place = (ideal - lowest) / ((highest - lowest) / (len(errors) - 1))
    before = min(int(place), len(errors) - 2)
    return errors[before] + (errors[before + 1] - errors[before]) * (place - before)
