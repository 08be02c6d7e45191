"""A comparison as a person, a spreadsheet and a program read it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from archsim.results.comparison import Difference, Entry, differences, ratios, to_rows

_COLUMNS = (
    ("latency", "latency_ns", "ms", 1e-6),
    ("inferences", "inferences_per_s", "/s", 1.0),
    ("energy", "energy_pj", "mJ", 1e-9),
    ("area", "area_mm2", "mm2", 1.0),
    ("TOPS", "tops", "", 1.0),
    ("TOPS/W", "tops_per_w", "", 1.0),
    ("TOPS/mm2", "tops_per_mm2", "", 1.0),
)
_BREAKDOWN = {
    "energy_pj": ("energy", "mJ", 1e-9),
    "area_mm2": ("area", "mm2", 1.0),
    "latency_ns": ("latency", "us on the critical path", 1e-3),
}


def comparison_text(entries: Sequence[Entry]) -> str:
    """One table a workload, with ratios to the first machine, and what makes the differences."""
    return "\n".join(line for each in _workloads(entries) for line in _workload(each)).rstrip() + "\n"


def comparison_json(entries: Sequence[Entry]) -> str:
    """The rows, ratios and differences as JSON."""
    rows = []
    for row, entry in zip(to_rows(entries), entries, strict=True):
        first = next(each for each in entries if each.workload == entry.workload)
        found = {} if entry is first else differences(entry, first)
        rows.append(
            row | {"differences": {name: [asdict(one) for one in ones] for name, ones in found.items()}}
        )
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def comparison_csv(entries: Sequence[Entry]) -> str:
    """The rows as CSV, a header first; what is missing is empty."""
    rows = to_rows(entries)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _workloads(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    for name in dict.fromkeys(entry.workload for entry in entries):
        yield [entry for entry in entries if entry.workload == name]


def _workload(entries: Sequence[Entry]) -> Iterator[str]:
    first = entries[0]
    widest = max(len(entry.machine) for entry in entries)
    widths = [max(len(title), 10) for title, *_ in _COLUMNS]
    yield first.workload
    for heads in ([title for title, *_ in _COLUMNS], [unit for _, _, unit, _ in _COLUMNS]):
        yield f"  {'':{widest}}  {_cells(heads, widths)}".rstrip()
    for entry in entries:
        if entry.result is None:
            first_reason, *more = entry.reasons
            rest = f" (and {len(more)} more reasons: --json has them all)" if more else ""
            yield f"  {entry.machine:{widest}}  cannot run it: {first_reason}{rest}"
            continue
        measures = entry.measures()
        values = [_number(measures[key], scale) for _, key, _, scale in _COLUMNS]
        yield f"  {entry.machine:{widest}}  {_cells(values, widths)}"
        if entry is not first and first.result is not None:
            shares = ratios(entry, first)
            yield f"  {'':{widest}}  {_cells([_times(shares[key]) for _, key, _, _ in _COLUMNS], widths)}"
    yield ""
    for entry in entries[1:]:
        yield from _reasons(entry, first)
    yield ""


def _reasons(entry: Entry, first: Entry) -> Iterator[str]:
    """What makes most of each difference, a line for each breakdown."""
    found = differences(entry, first)
    if found:
        yield f"  {entry.machine} against {first.machine}, what makes most of the difference:"
    for name, ones in found.items():
        title, unit, scale = _BREAKDOWN[name]
        text = ", ".join(_difference(one, unit, scale) for one in ones) or "none"
        yield f"    {title}: {text}"


def _difference(one: Difference, unit: str, scale: float) -> str:
    return f"{one.name} {_number(one.first, scale)} -> {_number(one.other, scale)} {unit} ({one.share:.0%})"


def _cells(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))


def _number(value: Any, scale: float) -> str:
    if value is None:
        return "-"
    shown = value * scale
    return f"{shown:,.0f}" if abs(shown) >= 1000 else f"{shown:.4g}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x {ratio:.3g}"
