"""A comparison as a person, a spreadsheet and a program read it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from archsim.results.comparison import MEASURES, Difference, Entry, differences, ratios, to_rows
from archsim.results.metrics import METRICS

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
    columns = [METRICS[name] for name in MEASURES]
    widths = [max(len(column.label), 10) for column in columns]
    yield first.workload
    for heads in ([column.label for column in columns], [column.unit for column in columns]):
        yield f"  {'':{widest}}  {_cells(heads, widths)}".rstrip()
    for entry in entries:
        if entry.result is None:
            first_reason, *more = entry.reasons
            rest = f" (and {len(more)} more reasons: --json has them all)" if more else ""
            yield f"  {entry.machine:{widest}}  cannot run it: {first_reason}{rest}"
            continue
        measures = entry.measures()
        values = [_number(measures[name], METRICS[name].scale) for name in MEASURES]
        yield f"  {entry.machine:{widest}}  {_cells(values, widths)}"
        if entry is not first and first.result is not None:
            shares = ratios(entry, first)
            yield f"  {'':{widest}}  {_cells([_times(shares[name]) for name in MEASURES], widths)}"
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
