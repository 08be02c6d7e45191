"""When a closed loop has settled: the two rules, of which the one that comes first ends its measurement.

Recurrence. An engine does the same again after two equal states (see ``engine.Glimpse``). When the state
after completion n equals the one after completion m, the stream repeats those n - m completions for ever,
and their mean interval is that of the endless stream. The last two states are compared, and for longer
periods one more, which is replaced whenever completions have grown by half (Brent's method).

States need not be quite equal. Schedules in which tasks wait for predecessors and for servers, first come
first served, do not let a difference grow while the order of service stays (they are monotone and
non-expansive: Baccelli, Cohen, Olsder and Quadrat, Synchronization and Linearity, 1992). So when in the later
state all is at most d cycles later than in the earlier one, the endless stream's mean interval is at most
d / (n - m) longer than the mean of those n - m, and with all at most d earlier, at most as much shorter. d
may be 0.1 % of the least interval for each of them. Where the mean is the least interval that the machine
allows, only what is later counts, as no stream can be faster; after a guess, from which the first to leave
have a part of their schedules, both do. A full pipeline comes to that point when its first inferences have
left, long before the last of those that were let in together.

Windows. Otherwise, when the mean intervals of the last two windows of ``in_flight`` completions agree to
0.1 %, the mean of the last one counts. Short windows say little, so this rule waits for 24 completions.
A window below the least interval that the machine allows is still filling or draining a queue, and none.
A loop that has not settled after 12 windows is returned as it is.
"""

from __future__ import annotations

from collections import deque

from archsim.sim.engine import Engine, Glimpse
from archsim.task_graph import TaskGraph

TOLERANCE = 1e-3
"""Intervals that differ by less are equal, and a gain in throughput below it is none."""

_LEAST_COMPLETIONS = 24
_MOST_WINDOWS = 12
_MOST_REMEMBERED = 32


def remembered(graph: TaskGraph, bound_cycles: float) -> int:
    """How many starts of each task an engine must remember: as many as may not be over, and the next."""
    longest = max(int(graph.occupancy.max()), int(graph.latency.max()))
    return min(2 + int(longest / bound_cycles), _MOST_REMEMBERED)


class _Watch:
    """Looks after each completion whether an engine is in a state in which it has been."""

    def __init__(self, engine: Engine, bound_cycles: float, *, guessed: bool = False) -> None:
        self._engine = engine
        self._bound_cycles = bound_cycles
        self._guessed = guessed
        self._anchor: tuple[int, Glimpse] | None = None
        self._last: deque[tuple[int, Glimpse]] = deque(maxlen=2)

    def recurring_interval(self) -> float | None:
        """The mean interval since it was in its present state, None where it has not been."""
        left = self._engine.left
        now, glimpse = len(left), self._engine.glimpse()
        for before, then in [*reversed(self._last), *([self._anchor] if self._anchor else [])]:
            interval = (left[-1] - left[before - 1]) / (now - before)
            cycles = (now - before) * TOLERANCE * self._bound_cycles
            enough = not self._guessed and interval <= self._bound_cycles * (1 + TOLERANCE)
            if glimpse.no_later(then, cycles) and (enough or then.no_later(glimpse, cycles)):
                return max(interval, self._bound_cycles)
        self._last.append((now, glimpse))
        if self._anchor is None or 2 * now >= 3 * self._anchor[0]:
            self._anchor = self._last[-1]
        return None


def settle(engine: Engine, in_flight: int, bound_cycles: float) -> tuple[float, bool]:
    """Advance until one of the rules applies: the mean interval, and whether it settled."""
    left = engine.left
    watch = _Watch(engine, bound_cycles)
    least = max(2 * in_flight + 1, _LEAST_COMPLETIONS)
    most = max(_MOST_WINDOWS * in_flight, 2 * _LEAST_COMPLETIONS)
    while True:
        engine.advance(len(left) + 1)
        recurring = watch.recurring_interval()
        if recurring is not None:
            return recurring, True
        now = len(left)
        if now < least:
            continue
        last = (left[-1] - left[-1 - in_flight]) / in_flight
        before = (left[-1 - in_flight] - left[-1 - 2 * in_flight]) / in_flight
        possible = last >= bound_cycles * (1 - TOLERANCE)
        if possible and abs(last - before) <= TOLERANCE * last:
            return max(last, bound_cycles), True
        if now >= most:
            return max(last, bound_cycles), False


def settle_fastest(engine: Engine, in_flight: int, bound_cycles: float, patience: int) -> float | None:
    """The least interval that the machine allows, where a state recurs at it within some completions."""
    left = engine.left
    watch = _Watch(engine, bound_cycles, guessed=True)
    most = bound_cycles * (1 + TOLERANCE)
    while len(left) < patience:
        engine.advance(len(left) + 1)
        recurring = watch.recurring_interval()
        if recurring is not None:
            return recurring if recurring <= most else None
        if len(left) > in_flight and left[-1] - left[-1 - in_flight] > most * in_flight:
            return None
    return None
