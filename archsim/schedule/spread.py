"""A value over the PUs that work on it, and the tokens that have one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from archsim.parts.part import Value
from archsim.task_graph import IntArray, Wire


class Spread(NamedTuple):
    """The result of an operation over the PUs of its group.

    Args: name: unique in the phase, also for the tokens that take part; split: each PU has a share,
        or a partial sum (None where it has nothing), else the first PU has the whole; gaps: whether there
        may be tokens without a value.
    """

    name: str
    pus: tuple[int, ...]
    values: tuple[Value | None, ...]
    split: bool
    gaps: bool = False

    @property
    def ready(self) -> Wire:
        """(tokens,) the tasks after which one of the shares may be used: which tokens have a value."""
        return next(value.ready for value in self.values if value is not None)

    def take(self, label: str, which: IntArray) -> Spread:
        """The same for the tokens at the places ``which``; ``label`` names this choice of tokens."""
        values = tuple(None if value is None else value.take(which) for value in self.values)
        return Spread(f"{self.name} {label}", self.pus, values, self.split, self.gaps)

    def with_ready(self, ready: tuple[Wire | None, ...]) -> Spread:
        """The same values, to be used after other tasks."""
        values = tuple(
            None if value is None or wire is None else value.after(wire)
            for value, wire in zip(self.values, ready, strict=True)
        )
        return self._replace(values=values)

    def scattered(self, which: IntArray, tokens: int) -> Spread:
        """The same as a value of all ``tokens``, of which those at ``which`` have one."""
        ready = [None if value is None else scattered(value.ready, which, tokens) for value in self.values]
        return self.with_ready(tuple(ready))._replace(gaps=True)


def scattered(wire: Wire, which: IntArray, tokens: int) -> Wire:
    """A wire of the tokens at the places ``which`` as one of all ``tokens``, -1 for the others."""
    full = np.full(tokens, -1, dtype=np.int32)
    full[which] = wire
    return full
