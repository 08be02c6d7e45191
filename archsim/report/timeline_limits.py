"""What a timeline is limited to: a window of time, layers, classes of resources."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise

from archsim.errors import ArchsimError, Finding, did_you_mean
from archsim.results.energy import OUTSIDE

NO_LAYER = -1
"""The layer of a task graph's operations that belong to none; people call it ``outside``."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time in ns: what runs in it begins before ``end_ns`` and ends after ``start_ns``."""

    start_ns: float = 0.0
    end_ns: float = math.inf

    def __str__(self) -> str:
        end = "" if math.isinf(self.end_ns) else f"{self.end_ns:.12g}"
        return f"{self.start_ns:.12g}:{end}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Which tasks are drawn.

    Args: layers: NO_LAYER for the operations outside of them, None for all; classes: of resources, as
        utilisation is reported for them, None for all.
    """

    window: Window = Window()
    layers: frozenset[int] | None = None
    classes: frozenset[str] | None = None


UNLIMITED = Limits()


def parse_limits(window: str | None, layers: str | None, classes: str | None) -> Limits:
    """The limits as a person states them; None stands for no limit.

    Args: window: ``START:END`` in ns, either may be left out; layers: ``0,4-7,outside``; classes:
        ``analog,bus``.
    Raises: ArchsimError: for text that is none of this.
    """
    return Limits(
        Window() if window is None else _parse_window(window),
        None if layers is None else _parse_layers(layers),
        None if classes is None else frozenset(word.strip() for word in classes.split(",")),
    )


def _parse_window(text: str) -> Window:
    wrong = ArchsimError(
        Finding(
            f"{text!r} is not START:END in ns, such as 1000:2500, 1000: or :2500", path="--timeline-window"
        )
    )
    words = text.split(":")
    if len(words) != 2 or words == ["", ""]:
        raise wrong
    try:
        window = Window(float(words[0] or 0), float(words[1] or math.inf))
    except ValueError:
        raise wrong from None
    if not (math.isfinite(window.start_ns) and (math.isfinite(window.end_ns) or not words[1])):
        raise wrong
    if not 0 <= window.start_ns < window.end_ns:
        raise ArchsimError(
            Finding(f"{text!r} is no window: 0 <= START < END is needed", path="--timeline-window")
        )
    return window


def _parse_layers(text: str) -> frozenset[int]:
    layers: set[int] = set()
    for word in text.split(","):
        found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", word.strip(), flags=re.ASCII)
        if word.strip() == OUTSIDE:
            layers.add(NO_LAYER)
        elif found and int(found[1]) <= int(found[2] or found[1]):
            layers.update(range(int(found[1]), int(found[2] or found[1]) + 1))
        else:
            raise ArchsimError(
                Finding(
                    f"{word.strip()!r} is not a layer, a range of layers such as 4-7, or "
                    f"{OUTSIDE!r}{did_you_mean(word.strip(), [OUTSIDE])}",
                    path="--timeline-layers",
                )
            )
    return frozenset(layers)


def check_known(limits: Limits, layers: Collection[int], classes: Collection[str]) -> None:
    """Refuse a layer or a class that a run does not have.

    Raises: ArchsimError: which names the nearest one that it has.
    """
    for layer in sorted((limits.layers or frozenset()) - set(layers)):
        raise ArchsimError(Finding(_unknown_layer(layer, sorted(layers)), path="--timeline-layers"))
    for name in sorted((limits.classes or frozenset()) - set(classes)):
        known = sorted(classes)
        raise ArchsimError(
            Finding(
                f"there is no class {name!r}; classes are {', '.join(known)}{did_you_mean(name, known)}",
                path="--timeline-classes",
            )
        )


def _unknown_layer(layer: int, layers: list[int]) -> str:
    """What to say of a layer that is not there."""
    numbers = [number for number in layers if number != NO_LAYER]
    has = ", ".join([*_ranges(numbers), *([OUTSIDE] if NO_LAYER in layers else [])])
    if layer == NO_LAYER:
        return f"there is nothing outside of the layers; layers are {has}"
    nearest = min(numbers, key=lambda number: (abs(number - layer), number), default=None)
    hint = "" if nearest is None else f" (did you mean {nearest}?)"
    return f"there is no layer {layer}; layers are {has}{hint}"


def _ranges(numbers: list[int]) -> Iterable[str]:
    """Ascending numbers, runs of them as ``4-7``."""
    breaks = [place + 1 for place, (one, two) in enumerate(pairwise(numbers)) if two != one + 1]
    for first, last in pairwise([0, *breaks, len(numbers)]):
        run = numbers[first:last]
        if run:
            yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
