"""Colours that stay with their names: the same component looks the same in every picture.

The hues are Okabe and Ito's, which people with any colour blindness can tell apart (Color Universal Design,
2008), with some of Tol's muted ones (SRON/EPS/TN/09-002, 2021). A name's hue follows from what it does, as
its last word says; parts differ by tint and hatching, so that a picture is also read in grey. Names of
machines that are not written yet get theirs from a checksum of the name: none depends on what else is drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, VERMILION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
INDIGO, OLIVE, WINE, TEAL, SAND = "#332288", "#999933", "#882255", "#44AA99", "#DDCC77"
GREY, PALE, INK = "#7F7F7F", "#D9D9D9", "#000000"

OTHER = "other"
"""The row that small ones are added up in."""

HUES = (BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, OLIVE, INDIGO, YELLOW)
"""Nine that can be told apart, side by side or as dots."""

_HATCHES = ("", "////", "\\\\\\\\", "....", "xxxx", "----", "||||", "oooo")
_TINTS = (0.0, 0.45, 0.2, 0.6)

# The words of each hue: components, classes of resources, operations, causes of latency
_WORDS_OF = {
    BLUE: "array bank mac analog q qkv compute",
    SKY: "wordline_driver driver k",
    GREEN: "shift_add adder sfu o",
    YELLOW: "input_register register buffer sram context",
    OLIVE: "output_register cache softmax gate",
    ORANGE: "digital unit logic ffn2 down waiting",
    VERMILION: "adc dac ffn1 up",
    PURPLE: "bus scores transfer",
    INDIGO: "sample_hold dram hbm memory v",
    WINE: "global_bus",
    TEAL: "interconnect router",
    SAND: "chip_link",
    GREY: "static",
    PALE: OTHER,
}
_HUE_OF = {word: hue for hue, words in _WORDS_OF.items() for word in words.split()}

# The hatching, and with it the tint, of what belongs to a part; other parts' come from a checksum
_HATCHING_OF = {"": 0, "analog": 0, "digital": 1}


@dataclass(frozen=True, slots=True)
class Look:
    """How one name is filled: a colour, and a hatching that is drawn over it."""

    colour: str
    hatch: str


def look(name: str) -> Look:
    """The look of a component (``analog.adc``), a class of resources (``bus``) or an operation (``ffn1``)."""
    part, _, word = name.rpartition(".")
    hue = _HUE_OF.get(word) or HUES[_checksum(word) % len(HUES)]
    if hue in (GREY, PALE):
        return Look(hue, "")
    number = _HATCHING_OF.get(part)
    if number is None:
        number = 2 + _checksum(part) % (len(_HATCHES) - 2)
    known = part or word in _HUE_OF
    hatch = _HATCHES[number] if known else _HATCHES[1 + _checksum(word) // 16 % (len(_HATCHES) - 1)]
    return Look(tinted(hue, _TINTS[number % len(_TINTS)]), hatch)


def looks(names: Sequence[str]) -> dict[str, Look]:
    """The look of each name; one that an earlier one has takes the next free hatching."""
    chosen: dict[str, Look] = {}
    for name in names:
        own = look(name)
        first = _HATCHES.index(own.hatch)
        turns = (Look(own.colour, _HATCHES[(first + turn) % len(_HATCHES)]) for turn in range(len(_HATCHES)))
        taken = set(chosen.values())
        chosen[name] = next((each for each in turns if each not in taken), own)
    return chosen


def _checksum(word: str) -> int:
    """A number that depends on the word alone, in every process."""
    return zlib.crc32(word.encode())


def tinted(colour: str, share: float) -> str:
    """The colour mixed with ``share`` of white."""
    channels = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(value + (255 - value) * share):02X}" for value in channels)
