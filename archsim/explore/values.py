"""The values of one axis as text: ``a,b,c``, ranges ``lo:hi:step``, or both."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from archsim.errors import Finding, HardwareError, SpaceError
from archsim.hardware.located_yaml import read_yaml, shorten

MOST_VALUES = 1_000_000
"""No axis has more."""

_ITEM = re.compile(r"""(?:[^,\[\]'"]|\[[^\]]*\]|'[^']*'|"[^"]*")*""")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_FORM = "values are a,b,c or lo:hi:step, such as 0:0.3:0.05"


def parse_values(text: str, label: str) -> tuple[Any, ...]:
    """The values that a text lists, written as in YAML, without those that come again.

    Args: label: how findings name the axis.
    Raises: SpaceError: for a text that lists none, or that cannot be read.
    """
    values: list[Any] = []
    for item in _items(text, label):
        values += _range(item, label) if item.count(":") == 2 else [_scalar(item, label)]
    check_values(values, label)
    return tuple(values)


def check_values(values: list[Any], label: str) -> None:
    """Refuse no values, too many, and values that come twice.

    Raises: SpaceError: for them.
    """
    seen: set[str] = set()
    if not values:
        raise SpaceError(Finding(f"lists no value; {_FORM}", label))
    if len(values) > MOST_VALUES:
        what = f"lists {len(values):,} values, and an axis has at most {MOST_VALUES:,}"
        raise SpaceError(Finding(what, label))
    for value in values:
        # 1 and 1.0 are one value, 1 and True are two
        name = repr(float(value)) if isinstance(value, int) and not isinstance(value, bool) else repr(value)
        if name in seen:
            raise SpaceError(Finding(f"lists {value} twice", label))
        seen.add(name)


def _items(text: str, label: str) -> list[str]:
    """The text between commas, but for those inside brackets and quotes."""
    items, place = [], 0
    while True:
        found = _ITEM.match(text, place)
        assert found is not None, "the pattern matches an empty text"
        items.append(found[0].strip())
        place = found.end()
        if place == len(text):
            break
        if text[place] != ",":
            raise SpaceError(Finding(f"a bracket or a quote is not closed; {_FORM}", label))
        place += 1
    if "" in items:
        where = "there is no value" if items == [""] else f"value {items.index('') + 1} is empty"
        raise SpaceError(Finding(f"{where}; {_FORM}", label))
    return items


def _range(text: str, label: str) -> list[int | float]:
    """The values of ``lo:hi:step``, counted in decimals: 0.3 and never 0.30000000000000004."""
    words = [word.strip() for word in text.split(":")]
    if not all(map(_NUMBER.fullmatch, words)):
        raise SpaceError(Finding(f"{shorten(text)} is no range of numbers; {_FORM}", label))
    low, high, step = map(Decimal, words)
    if step == 0:
        raise SpaceError(Finding(f"the step of {text} is zero", label))
    if (high - low) * step < 0:
        what = f"the range {text} is empty: a step of {words[2]} does not lead from {words[0]} to {words[1]}"
        raise SpaceError(Finding(what, label))
    steps = (high - low) / step
    if steps >= MOST_VALUES:
        what = f"the range {text} has more than {MOST_VALUES:,} values, the most of an axis"
        raise SpaceError(Finding(what, label))
    whole = all(re.fullmatch(r"[-+]?\d+", word) for word in words)
    exact = (low + count * step for count in range(int(steps) + 1))
    return [int(value) if whole else float(value) for value in exact]


def _scalar(text: str, label: str) -> Any:
    """One value, as ``--set`` of ``archsim simulate`` reads it."""
    try:
        document = read_yaml(text, label)
    except HardwareError as error:
        raise SpaceError(Finding(found.message, label) for found in error.findings) from None
    if isinstance(document.data, dict):
        raise SpaceError(Finding(f"{shorten(text)} is a section; {_FORM}", label))
    return document.data
