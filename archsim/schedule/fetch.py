"""Fetches: pieces of weights and caches on their way to parts that work on what others hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from archsim.schedule.transfers import Transfers
from archsim.task_graph import GraphBuilder, IntArray, Wire


class _Pieces(NamedTuple):
    """Pieces of one operation, arrays of shape (pieces,); from ``pass_`` on the keys of their order."""

    fetched: Wire
    left: Wire
    pass_: IntArray
    block: IntArray
    group: IntArray
    operation: IntArray


class FetchBuffers:
    """The buffers of one phase, in which pieces wait for the parts that work on them.

    A part takes operations one after the other: its places are granted by pass, then in program order.
    The two products of attention are one block and alternate, group by group, so that the scores of all
    tokens need not wait at once.
    """

    def __init__(self, graph: GraphBuilder) -> None:
        self.graph = graph
        self._pieces: dict[tuple[int, str], list[_Pieces]] = {}
        self._places: dict[tuple[int, str], int] = {}
        self._numbers: dict[str, int] = {}

    @property
    def used(self) -> bool:
        """Whether anything is fetched at all."""
        return bool(self._numbers)

    def number(self, operation: str) -> int:
        """The place of an operation in program order."""
        return self._numbers.setdefault(operation, len(self._numbers))

    def note(self, pu: int, part: str, pieces: _Pieces, places: int) -> None:
        """Pieces that pass through the buffer of ``part``, which has room for ``places``."""
        self._pieces.setdefault((pu, part), []).append(pieces)
        self._places[pu, part] = places

    def bound(self) -> None:
        """Let the fetch of each piece wait until the one that had its place has left.

        In a decode the first pieces of an inference wait for no other inference: the streams in flight
        take turns (see ``GraphBuilder``).
        """
        for key, noted in self._pieces.items():
            fetched, left, *keys = (np.concatenate(column) for column in zip(*noted, strict=True))
            order = np.lexsort((np.arange(len(left)), *reversed(keys)))
            places = self._places[key]
            if self.graph.buffers_bounded:
                self.graph.ring(left[order], fetched[order], places)
            else:
                self.graph.edge(left[order][:-places], fetched[order][places:])


@dataclass(slots=True)
class Route:
    """The way from ``holder`` to ``part`` on one PU, for one operation: a ``Fetch``.

    Args: block, operation: numbers of the operation and of the one with which it alternates.
    """

    transfers: Transfers
    buffers: FetchBuffers
    pu: int
    holder: str
    part: str
    block: int
    operation: int
    _fetched: Wire = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def bring(self, nbytes: IntArray, token: IntArray, after: Wire, graph: GraphBuilder) -> Wire:
        """Read each piece where it is held and move it here."""
        place, work = graph.place, self.transfers.work
        graph.place = work.place_of(self.holder, self.pu)
        self._fetched = work.machine.part(self.holder).read(nbytes, token, after, graph)
        if self._fetched is after:
            self._fetched = graph.join([after], token)
        arrived = self.transfers.carry(self.pu, self.holder, self.part, nbytes, token, self._fetched)
        graph.place = place
        return arrived

    def free(self, tasks: Wire, group: IntArray, pass_: IntArray, places: int) -> None:
        """The pieces leave the buffer with ``tasks``."""
        block, operation = np.full(len(tasks), self.block), np.full(len(tasks), self.operation)
        pieces = _Pieces(self._fetched, tasks, pass_, block, group, operation)
        self.buffers.note(self.pu, self.part, pieces, places)
