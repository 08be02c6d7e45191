"""Words in pictures: names of results, wrapped; numbers with their units."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archsim.results.read import RESULT_FILE
from archsim.results.record import Result
from archsim.units import si_prefix

_LINE = 22  # characters of the smaller type in about 1.2 inches
_LINES = 4
_BREAKS = re.compile(r"(?<=[\s._/:,-])")


@dataclass(frozen=True, slots=True)
class Named:
    """A result with the name that it has in a picture."""

    name: str
    result: Result


def named(results: Sequence[Result], files: Sequence[str]) -> list[Named]:
    """Name each result by what sets it apart: model and machine, else the shape of the work, else its place.

    Args: files: the places, as the user wrote them.
    """
    columns = [
        [result.workload["model"] for result in results],
        [result.hardware["name"] for result in results],
    ]
    apart = [column for column in columns if len(set(column)) > 1]
    shapes = [_shape(result) for result in results]
    for some in (apart or columns[:1], [*apart, shapes], [[_place(file) for file in files]]):
        names = [", ".join(words) for words in zip(*some, strict=True)]
        if len(set(names)) == len(names):
            break
    else:
        names = _numbered(list(files))
    return [Named(*each) for each in zip(names, results, strict=True)]


def _shape(result: Result) -> str:
    """How much work it is: tokens, decode steps, sequences."""
    work = result.workload
    words = [f"{work['prefill_tokens']} tokens"] if work["prefill_tokens"] else []
    words += [f"{work['decode_steps']} steps"] if work["decode_steps"] else []
    words += [f"from {work['context']}"] if work["context"] else []
    words += [f"batch {work['batch']}"] if work["batch"] > 1 else []
    return " ".join(words)


def _place(file: str) -> str:
    """The name of a result's directory, or of a file that is called otherwise than all results are."""
    path = Path(file)
    return path.parent.name or file if path.name == RESULT_FILE else path.stem


def _numbered(names: list[str]) -> list[str]:
    """Equal names told apart by a number."""
    total, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} #{seen[name]}" if total[name] > 1 else name)
    return found


def wrapped(name: str) -> str:
    """A name in lines that fit beside a picture; one that is longer than four loses its middle."""
    name = printable(name)
    most = _LINE * _LINES - _LINES
    if len(name) > most:
        name = f"{name[: most // 2]}…{name[-(most // 2) + 1 :]}"
    lines = [""]
    for word in (piece[place : place + _LINE] for piece in _BREAKS.split(name) for place in _steps(piece)):
        if len(lines[-1]) + len(word.rstrip()) <= _LINE:
            lines[-1] += word
        else:
            lines.append(word)
    return "\n".join(line.strip() for line in lines)


def _steps(piece: str) -> range:
    return range(0, max(len(piece), 1), _LINE)


def shortened(name: str, most: int = 40) -> str:
    """A name on one line; a long one loses its middle."""
    name = printable(name)
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2) + 1 :]}"


def printable(name: str) -> str:
    """A name without what would break its line; matplotlib leaves out what begins with an underscore."""
    name = "".join(letter if letter.isprintable() else " " for letter in name)
    return f" {name}" if name.startswith("_") else name


@dataclass(frozen=True, slots=True)
class Scale:
    """How an axis states a quantity: ``value * factor`` is in ``unit``."""

    factor: float
    unit: str

    def text(self, value: float) -> str:
        """A value as it stands beside a bar: three digits or more, a share with one decimal."""
        shown = value * self.factor
        if self.unit == PERCENT.unit:
            return f"{shown:.1f}"
        return f"{shown:,.0f}" if abs(shown) >= 100 else f"{shown:#.3g}"


PERCENT = Scale(100.0, "%")
"""Of shares of 1."""


def scaled(largest: float, unit: str, base: float = 1.0) -> Scale:
    """The scale that leaves one to three digits before the point of the largest value.

    Args: base: the values' own unit in terms of ``unit``, such as 1e-12 for picojoules in J.
    """
    factor, letter = si_prefix(largest * base)
    return Scale(base / factor, (letter.replace("u", "µ") + unit).strip())
