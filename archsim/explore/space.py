"""The designs that a sweep visits: axes of values, and which of their combinations."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archsim.errors import Finding, SpaceError
from archsim.explore.values import check_values, parse_values

Sampling = Literal["grid", "random", "latin"]
SAMPLINGS: tuple[Sampling, ...] = ("grid", "random", "latin")


@dataclass(frozen=True, slots=True)
class Axis:
    """The values of one dotted path.

    Args: label, line: how findings name the place where it was given.
    """

    path: str
    values: tuple[Any, ...]
    label: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Space:
    """All combinations of the values of some axes.

    Points are numbered; in their order the last factor runs fastest.
    Args: factors: axes, each alone or linked with others: linked ones have as many values each, and take
        the first together, then the second, and so on.
    """

    factors: tuple[tuple[Axis, ...], ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes, in order."""
        return tuple(axis for factor in self.factors for axis in factor)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Values of each factor."""
        return tuple(len(factor[0].values) for factor in self.factors)

    @property
    def size(self) -> int:
        """Points of the whole grid."""
        return math.prod(self.lengths)

    def digits(self, point: int) -> list[int]:
        """Which value of each factor a point has."""
        digits = []
        for length in reversed(self.lengths):
            point, digit = divmod(point, length)
            digits.append(digit)
        return digits[::-1]

    def number(self, digits: Sequence[int]) -> int:
        """The point that has these values of the factors."""
        point = 0
        for digit, length in zip(digits, self.lengths, strict=True):
            point = point * length + digit
        return point

    def settings(self, point: int) -> dict[str, Any]:
        """The values of a point by path."""
        return {
            axis.path: axis.values[digit]
            for factor, digit in zip(self.factors, self.digits(point), strict=True)
            for axis in factor
        }


def read_space(given: Sequence[str] | Mapping[str, Any]) -> Space:
    """The space of some axes, all combined.

    Args: given: texts ``PATH=VALUES``, see ``values.parse_values``; or by path a list of values, one
        value, or such a text.
    Raises: SpaceError: with everything that is wrong.
    """
    pairs = (
        [_split(text) for text in given]
        if not isinstance(given, Mapping)
        else [(path, value, path) for path, value in given.items()]
    )
    findings: list[Finding] = []
    axes: list[Axis] = []
    for path, value, label in pairs:
        try:
            axes.append(_axis(path, value, label))
        except SpaceError as error:
            findings += error.findings
    if findings:
        raise SpaceError(findings)
    return Space(tuple((axis,) for axis in axes))


def combined(*spaces: Space) -> Space:
    """The space of the factors of all ``spaces``.

    Raises: SpaceError: when there is no axis, or two of one path.
    """
    space = Space(tuple(factor for space in spaces for factor in space.factors))
    findings = []
    for number, axis in enumerate(space.axes):
        if any(axis.path == other.path for other in space.axes[:number]):
            findings.append(Finding(f"{axis.path} is swept twice", axis.label, axis.line))
    if not space.factors:
        findings.append(Finding("there is nothing to sweep: give --set PATH=a,b,c or --space FILE"))
    if findings:
        raise SpaceError(findings)
    return space


def sample(space: Space, how: Sampling, points: int | None = None, seed: int = 0) -> Sequence[int]:
    """The numbers of the points that are visited, in order.

    Args: how: ``grid``: all; ``random``: that many different ones; ``latin``: that many draws of which each
        value of each factor gets an equal share (a point drawn twice counts once).
    Raises: SpaceError: for a sampling that there is not, or a number of points that does not fit.
    """
    if how not in SAMPLINGS:
        raise SpaceError(f"--sample: must be one of {', '.join(SAMPLINGS)}, not {how!r}")
    if how == "grid":
        if points is not None:
            raise SpaceError("--points: a grid has all points; leave it out, or say --sample random or latin")
        return range(space.size)
    if points is None:
        raise SpaceError(f"--sample {how}: how many? say --points N")
    if points < 1 or points > space.size:
        raise SpaceError(f"--points: must be from 1 to {space.size:,}, the points of the grid, not {points}")
    draw = random.Random(seed)
    if how == "random":
        return draw.sample(range(space.size), points)
    columns = []
    for length in space.lengths:
        column = [place * length // points for place in range(points)]
        draw.shuffle(column)
        columns.append(column)
    return list(dict.fromkeys(map(space.number, zip(*columns, strict=True))))


def _split(text: str) -> tuple[str, str, str]:
    """Path, values and label of a text ``PATH=VALUES``."""
    path, equals, values = text.partition("=")
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    label = f"--set {shown if shown.isprintable() else ascii(shown)}"
    if not equals or not path.strip():
        label = f"--set {text!r}"
        return "", values, label
    return path.strip(), values, label


def _axis(path: str, value: Any, label: str) -> Axis:
    """One axis, whatever way its values are given in."""
    if not path:
        raise SpaceError(Finding("must be PATH=VALUES, such as chip.pus=12,24", label))
    if isinstance(value, str):
        return Axis(path, parse_values(value, label), label)
    values = list(value) if isinstance(value, Sequence | range) or hasattr(value, "tolist") else [value]
    values = [each.item() if hasattr(each, "item") else each for each in values]
    check_values(values, label)
    return Axis(path, tuple(values), label)
