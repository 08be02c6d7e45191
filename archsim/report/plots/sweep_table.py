"""The points of a sweep as columns, and what a picture's axis says of one of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archsim.errors import ArchsimError, Finding, ResultError, did_you_mean
from archsim.report.plots.labels import Scale, scaled

OK = "ok"
"""The ``status`` of a point that has a result."""

# The unit that the end of a column's name states, and its size in the unit that is shown
_UNITS = {
    "tops": ("TOPS", 1.0),
    "tops_per_w": ("TOPS/W", 1.0),
    "tops_per_mm2": ("TOPS/mm²", 1.0),
    "_per_s": ("/s", 1.0),
    "_ns": ("s", 1e-9),
    "_pj": ("J", 1e-12),
    "_mm2": ("mm²", 1.0),
    "_w": ("W", 1.0),
}
_UNSCALED = ("TOPS", "TOPS/W", "TOPS/mm²", "mm²")


@dataclass(frozen=True, slots=True)
class Axis:
    """A column as an axis shows it.

    Args: direction: which end of it is good.
    """

    column: str
    direction: Literal["min", "max"] = "min"

    @property
    def label(self) -> str:
        """The column's name, without the unit that it ends with."""
        end = self._ending()
        if "." in self.column or end == self.column:
            return self.column
        return self.column.removesuffix(end).replace("_", " ")

    def scale(self, largest: float) -> Scale:
        """How values up to ``largest`` are stated."""
        end = self._ending()
        if not end:
            return Scale(1.0, "")
        unit, base = _UNITS[end]
        return Scale(base, unit) if unit in _UNSCALED else scaled(largest, unit, base)

    def _ending(self) -> str:
        """The unit in the column's name; a dotted path states its own."""
        if self.column in _UNITS:
            return self.column
        ends = (end for end in _UNITS if end.startswith("_") and self.column.endswith(end))
        return "" if "." in self.column else next(ends, "")


@dataclass(frozen=True, slots=True)
class SweepTable:
    """The points of a sweep.

    Args: file: that they come from; columns: of equal length, None where a point has no value; ``status``
        says which points have a result, all of them where there is no such column.
    """

    file: str
    columns: Mapping[str, Sequence[Any]]

    def column(self, name: str, option: str) -> list[Any]:
        """The values of a column; numbers that are not finite count as none.

        Args: option: of the command line, for the message.
        Raises: ArchsimError: when there is no such column; says which there are.
        """
        if name not in self.columns:
            near = did_you_mean(name, self.columns)
            what = f"{self.file} has no column {name!r}{near}; it has {', '.join(self.columns)}"
            raise ArchsimError(Finding(what, path=option))
        return [None if _unbounded(value) else value for value in self.columns[name]]

    def numbers(self, name: str, option: str) -> list[float | None]:
        """The values of a column of numbers.

        Raises: ArchsimError: as ``column``, and when one of them is a word.
        """
        values = self.column(name, option)
        words = [value for value in values if isinstance(value, str)]
        if words:
            what = f"{self.file}: the column {name!r} holds {words[0]!r}, and numbers are needed"
            raise ArchsimError(Finding(what, path=option))
        return values

    def finished(self) -> list[bool]:
        """Of each point, whether it has a result."""
        some = next(iter(self.columns.values()), ())
        return [status == OK for status in self.columns.get("status", [OK] * len(some))]


def read_csv(path: str | Path) -> SweepTable:
    """The table in a CSV file, such as ``archsim sweep --csv`` writes.

    Raises: ResultError: when it cannot be read, or is no table.
    """
    file = str(path)
    try:
        with Path(path).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
    except OSError as error:
        raise ResultError(
            Finding(f"cannot be read: {(error.strerror or str(error)).lower()}", file)
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ResultError(Finding("is neither a store of archsim sweep nor a CSV table", file)) from error
    if len(rows) < 2:
        raise ResultError(
            Finding("has no points: a line of column names and a line a point are wanted", file)
        )
    names, *points = rows
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise ResultError(Finding(f"has two columns {twice[0]!r}", file, 1))
    findings = [
        Finding(f"has {len(point)} value{'s' * (len(point) != 1)} for {len(names)} columns", file, line)
        for line, point in enumerate(points, 2)
        if len(point) != len(names)
    ]
    if findings:
        raise ResultError(findings[:10])
    columns = {name: [_value(point[place]) for point in points] for place, name in enumerate(names)}
    return SweepTable(file, columns)


def distinct(values: Iterable[Any]) -> list[Any]:
    """The values that there are, in order, numbers before words."""
    found = {value for value in values if value is not None}
    return sorted(found, key=lambda value: (1, 0, value) if isinstance(value, str) else (0, value, ""))


def worded(value: Any) -> str:
    """A parameter's value as a label."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(text: str) -> int | float | str | None:
    """A number where the text is one; None where there is nothing."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


def _unbounded(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
