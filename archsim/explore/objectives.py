"""What a sweep optimises: objectives by name, with the end of them that is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.errors import Finding, SpaceError, did_you_mean
from archsim.results.metrics import METRICS, Direction


@dataclass(frozen=True, slots=True)
class Objective:
    """A column to be minimised or maximised."""

    column: str
    direction: Direction


def parse_objectives(text: str | Sequence[str], paths: Sequence[str] = ()) -> tuple[Objective, ...]:
    """Objectives as ``energy,latency,max:tops_per_w`` names them.

    Args: paths: of the sweep, which may be objectives too; these need ``min:`` or ``max:``.
    Raises: SpaceError: for a name or a direction that there is not, or none at all.
    """
    words = [word.strip() for word in (text.split(",") if isinstance(text, str) else text)]
    findings: list[Finding] = []
    objectives = [_objective(word, paths, findings) for word in words if word]
    if not objectives:
        findings.append(Finding("names no objective, such as energy,latency,area", path="--pareto"))
    for number, one in enumerate(objectives):
        if one is not None and any(one.column == other.column for other in objectives[:number] if other):
            findings.append(Finding(f"{one.column} is given twice", path="--pareto"))
    if findings:
        raise SpaceError(findings)
    return tuple(one for one in objectives if one is not None)


def _objective(word: str, paths: Sequence[str], findings: list[Finding]) -> Objective | None:
    """One objective, or None with a finding."""
    direction, colon, name = word.rpartition(":")
    column = next((full for full, metric in METRICS.items() if name in (full, metric.alias)), None)
    if colon and direction not in ("min", "max"):
        findings.append(Finding(f"{word!r} begins with neither min: nor max:", path="--pareto"))
    elif column is not None:
        return Objective(column, _given(direction) or METRICS[column].direction)
    elif name in paths and colon:
        return Objective(name, _given(direction) or "min")
    elif name in paths:
        what = f"{name} is swept, and has no good end of its own: say min:{name} or max:{name}"
        findings.append(Finding(what, path="--pareto"))
    else:
        known = [*(metric.alias or full for full, metric in METRICS.items()), *paths]
        near = did_you_mean(name, known) or did_you_mean(name, METRICS)
        what = f"there is no objective {name!r}{near}; objectives are {', '.join(known)}"
        findings.append(Finding(what, path="--pareto"))
    return None


def _given(direction: str) -> Direction | None:
    return "max" if direction == "max" else "min" if direction == "min" else None
