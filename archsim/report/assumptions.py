"""The assumptions behind a result, with what becomes of it when one of them changes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

WIDTH = 100
NEGLIGIBLE = 0.005
"""Below this an elasticity is shown as nothing: half a per cent of the change of the number."""

_HEADS = {"latency_ns": "latency", "inferences_per_s": "rate", "energy_pj": "energy", "area_mm2": "area"}


@dataclass(frozen=True, slots=True)
class Line:
    """One assumption: path and text, elasticities by metric, and why there are none."""

    path: str
    text: str
    values: Mapping[str, float]
    reason: str


def assumptions_text(lines: Sequence[Line], title: str) -> str:
    """The assumptions that matter, the strongest first, and how many do not."""
    return "\n".join(_lines(lines, title)) + "\n"


def assumptions_json(lines: Sequence[Line]) -> str:
    """All of them as JSON."""
    rows = [
        {"path": line.path, "text": line.text, "elasticity": dict(line.values), "reason": line.reason}
        for line in lines
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _lines(lines: Sequence[Line], title: str) -> Iterator[str]:
    yield title
    yield ""
    matter = [line for line in lines if max(map(abs, line.values.values()), default=0) >= NEGLIGIBLE]
    widest = max((len(line.path) for line in matter), default=0)
    widest = max(widest, len("assumption"))
    yield f"{'assumption':{widest}}  " + "  ".join(f"{head:>8}" for head in _HEADS.values())
    for line in matter:
        cells = "  ".join(_cell(line.values.get(name)) for name in _HEADS)
        yield f"{line.path:{widest}}  {cells}".rstrip()
    yield ""
    yield from textwrap.wrap(
        "An elasticity of 0.5: the result grows by half as many per cent as the number; each is found by "
        "raising the number by a tenth and running again.",
        WIDTH,
    )
    tried = sum(bool(line.values) for line in lines)
    yield from textwrap.wrap(f"{tried - len(matter)} more change nothing by {NEGLIGIBLE:g} or more.", WIDTH)
    reasons: dict[str, list[str]] = {}
    for line in lines:
        if not line.values:
            reasons.setdefault(line.reason, []).append(line.path)
    for reason, paths in reasons.items():
        yield from _wrapped(f"Not tried, since {reason}: {', '.join(paths)}")
    if matter:
        yield ""
    for line in matter:
        yield from _wrapped(f"{line.path}: {line.text}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _cell(value: float | None) -> str:
    """An elasticity, nothing where it is negligible."""
    return f"{'' if value is None or abs(value) < NEGLIGIBLE else format(value, '+.2f'):>8}"
