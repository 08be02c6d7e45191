"""How far a sweep is, in a line on the terminal; nothing in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from archsim.explore.executor import Progress, Tell
from archsim.explore.objectives import Objective
from archsim.explore.store import Outcome
from archsim.results.metrics import METRICS

_REFRESH_S = 0.2
_BAR = 20
_CLEAR = "\r\x1b[K"
_DEFAULT = Objective("inferences_per_s", "max")


@contextmanager
def sweep_progress(objective: Objective | None) -> Iterator[Tell | None]:
    """A listener that draws the line on stderr, which is cleared in the end; None where nobody looks.

    Args: objective: by which the best point so far is told; None for the throughput.
    """
    if not sys.stderr.isatty():
        yield None
        return
    line = _Line(objective or _DEFAULT)
    try:
        yield line.tell
    finally:
        print(_CLEAR, end="", file=sys.stderr, flush=True)


class _Line:
    """The line: bar, points, rate, time left, best so far."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._best: float | None = None
        self._drawn_s = 0.0

    def tell(self, progress: Progress, outcome: Outcome | None) -> None:
        """Note what has come, and draw the line if it is time."""
        value = None if outcome is None else outcome.metrics.get(self._objective.column)
        if value is not None:
            better = max if self._objective.direction == "max" else min
            self._best = value if self._best is None else better(self._best, value)
        now = time.monotonic()
        if now - self._drawn_s >= _REFRESH_S:
            self._drawn_s = now
            print(f"{_CLEAR}{line_text(progress)}{self._best_text()}", end="", file=sys.stderr, flush=True)

    def _best_text(self) -> str:
        metric = METRICS.get(self._objective.column)
        if self._best is None or metric is None:
            return ""
        return f", best {metric.label} {self._best * metric.scale:.4g} {metric.unit}".rstrip()


def line_text(progress: Progress) -> str:
    """The bar, the points, and the time that the rest will take at the rate of this run."""
    filled = _BAR * progress.done // max(1, progress.total)
    text = f"[{'#' * filled}{'.' * (_BAR - filled)}] {progress.done:,} of {progress.total:,}"
    if progress.simulated:
        left_s = (progress.total - progress.done) / progress.rate_per_s
        text += f", {progress.rate_per_s:.1f}/s, {duration(left_s)} left"
    if troubled := progress.counts["infeasible"] + progress.counts["failed"]:
        text += f", {troubled:,} without result"
    return text


def duration(seconds: float) -> str:
    """A time as a person says it: 45 s, 3:20 min, 5:07 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
