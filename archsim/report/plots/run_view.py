"""A run that pictures over time are drawn of: its tasks, when they started, and what is asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.errors import ArchsimError, Finding, did_you_mean
from archsim.report.timeline_limits import NO_LAYER
from archsim.results.energy import OUTSIDE
from archsim.task_graph import TaskGraph

MOST_TOKENS = 8
"""Tokens whose colours can be told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class RunView:
    """One inference that ran in an empty machine.

    Args: start: (tasks,) cycles; prices: what each action charges.
    """

    graph: TaskGraph
    start: NDArray[np.int64]
    clock_ghz: float
    prices: Mapping[str, tuple[Charge, ...]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tokens and layers are drawn; None for the picture's own choice. NO_LAYER stands for outside."""

    tokens: tuple[int, ...] | None = None
    layers: tuple[int, ...] | None = None


def parse_choice(tokens: str | None, layers: str | None) -> Choice:
    """A choice as a person states it, such as ``0-3`` and ``0,4-7,outside``.

    Raises: ArchsimError: for text that is neither, with all that is wrong.
    """
    findings: list[Finding] = []
    chosen = Choice(
        None if tokens is None else _numbers(tokens, "--tokens", "a token", (), findings),
        None if layers is None else _numbers(layers, "--layers", "a layer", (OUTSIDE,), findings),
    )
    if chosen.tokens is not None and len(chosen.tokens) > MOST_TOKENS:
        what = f"{len(chosen.tokens)} tokens are asked for; the colours of {MOST_TOKENS} can be told apart"
        findings.append(Finding(what, path="--tokens"))
    if findings:
        raise ArchsimError(findings)
    return chosen


def _numbers(
    text: str, option: str, what: str, words: tuple[str, ...], findings: list[Finding]
) -> tuple[int, ...]:
    """The numbers of ``0,4-7``, ascending; a word stands for NO_LAYER."""
    numbers: set[int] = set()
    for given in (word.strip() for word in text.split(",")):
        found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", given, flags=re.ASCII)
        if given in words:
            numbers.add(NO_LAYER)
        elif found and int(found[1]) <= int(found[2] or found[1]):
            numbers.update(range(int(found[1]), int(found[2] or found[1]) + 1))
        else:
            allowed = "".join(f", or {word!r}" for word in words)
            near = did_you_mean(given, words)
            message = f"{given!r} is neither {what} nor a range such as 4-7{allowed}{near}"
            findings.append(Finding(message, path=option))
    return tuple(sorted(numbers))


def check_there(asked: Collection[int], there: Collection[int], option: str, what: str) -> None:
    """Refuse a token or a layer that a run does not have.

    Raises: ArchsimError: which says what it has.
    """
    missing = sorted(set(asked) - set(there))
    if not missing:
        return
    numbers = sorted(number for number in there if number != NO_LAYER)
    has = f"{what}s are {numbers[0]} to {numbers[-1]}" if numbers else f"it has no {what}s"
    first = f"is nothing {OUTSIDE} of the layers" if missing[0] == NO_LAYER else f"is no {what} {missing[0]}"
    raise ArchsimError(Finding(f"there {first} in this run; {has}", path=option))
