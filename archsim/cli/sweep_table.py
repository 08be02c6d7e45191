"""The points of a sweep as a person reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from archsim.explore.objectives import Objective
from archsim.explore.pareto import pareto_set
from archsim.explore.sweep import Sweep
from archsim.results.metrics import METRICS

MOST_ROWS = 40
"""Points that the table shows; files have them all."""

_SHOWN = ("latency_ns", "per_token_ns", "inferences_per_s", "energy_pj", "area_mm2", "power_w")
_REASONS = 3
_REASON_WIDTH = 240

Row = Mapping[str, Any]


def sweep_json(done: Sweep, objectives: Sequence[Objective] | None) -> str:
    """All points, or those of the Pareto set, as a JSON list."""
    if objectives is None:
        return done.to_json()
    rows = done.rows
    front = [rows[place] for place in pareto_set(rows, objectives)]
    return json.dumps(front, indent=2, ensure_ascii=False, allow_nan=False)


def sweep_text(done: Sweep, objectives: Sequence[Objective] | None, csv: str | None) -> str:
    """A table of all points or of the Pareto set, what happened to the others, and where all of them are."""
    rows = done.rows
    good = [row for row in rows if row["status"] == "ok"]
    lines = [_title(done, len(good)), *_fixed(done), ""]
    if objectives is None:
        shown = good
    else:
        shown = [rows[place] for place in pareto_set(rows, objectives)]
        names = ", ".join(f"{_label(each.column)} ({each.direction})" for each in objectives)
        lines += [f"Pareto set of {names}: {len(shown)} of {len(good)} points", ""]
    extra = [each.column for each in objectives or () if each.column in METRICS]
    if shown:
        lines += [*_table(_varied(done), shown[:MOST_ROWS], extra), ""]
    if len(shown) > MOST_ROWS:
        lines += [f"{len(shown) - MOST_ROWS:,} more points; --csv FILE writes them all", ""]
    lines += _troubles(rows)
    places = [done.store_file] if csv is None else [done.store_file, csv]
    return "\n".join([*lines, f"All points are in {' and '.join(places)}."])


def _title(done: Sweep, good: int) -> str:
    progress = done.progress
    return (
        f"{done.subject.trace.model} on {done.subject.file}: {len(done):,} points, {good:,} feasible "
        f"({progress.simulated:,} simulated now, {progress.found:,} known before)"
    )


def _fixed(done: Sweep) -> list[str]:
    """The paths that have one value, which are no column."""
    fixed = [f"{axis.path}={axis.values[0]}" for axis in done.space.axes if len(axis.values) == 1]
    return [f"with {', '.join(fixed)}"] if fixed else []


def _varied(done: Sweep) -> list[str]:
    return [axis.path for axis in done.space.axes if len(axis.values) > 1]


def _table(paths: Sequence[str], rows: Sequence[Row], extra: Sequence[str]) -> list[str]:
    """The rows under the names of their columns; a column that no row has a value in is left out."""
    columns = [
        name for name in dict.fromkeys((*_SHOWN, *extra)) if any(row[name] is not None for row in rows)
    ]
    head = [*_short(paths), *(_label(name) for name in columns)]
    units = [*("" for _ in paths), *(METRICS[name].unit for name in columns)]
    cells = [
        [*(_value(row[path]) for path in paths), *(_metric(name, row[name]) for name in columns)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, units, *cells, strict=True)]
    return ["  ".join(map(str.rjust, line, widths)).rstrip() for line in (head, units, *cells)]


def _short(paths: Sequence[str]) -> list[str]:
    """The last words of each path, as many as tell it from the others."""
    names = []
    for path in paths:
        words = path.split(".")
        for count in range(1, len(words) + 1):
            name = ".".join(words[-count:])
            if sum(f".{other}".endswith(f".{name}") for other in paths) == 1:
                break
        names.append(name)
    return names


def _label(column: str) -> str:
    return METRICS[column].label if column in METRICS else column


def _metric(name: str, value: float | None) -> str:
    return "-" if value is None else _number(value * METRICS[name].scale)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: float) -> str:
    """Four digits, or all those ahead of the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _troubles(rows: Sequence[Row]) -> list[str]:
    """Why points have no result: the most frequent reasons first."""
    lines = []
    for status in ("infeasible", "failed"):
        reasons = Counter(row["reason"] for row in rows if row["status"] == status)
        if not reasons:
            continue
        lines.append(f"{reasons.total():,} {'point is' if reasons.total() == 1 else 'points are'} {status}:")
        for reason, count in reasons.most_common(_REASONS):
            short = reason if len(reason) <= _REASON_WIDTH else f"{reason[: _REASON_WIDTH - 3]}..."
            lines.append(f"  {count:,} x {short}")
        if len(reasons) > _REASONS:
            lines.append(f"  and {len(reasons) - _REASONS:,} other reasons, in the column reason")
        lines.append("")
    return lines
