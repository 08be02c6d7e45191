"""Groups of tokens that share what is fetched for them, and the pieces in which it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.parts.part import Tokens
from archsim.task_graph import GraphBuilder, IntArray, Wire


@dataclass(frozen=True, slots=True)
class Groups:
    """Tokens that a part takes up together.

    Args: of: (tokens,) the group of each; first: (groups,) the place of its first token; token, pass_:
        (groups,) index and pass of that token.
    """

    of: IntArray
    first: IntArray
    token: IntArray
    pass_: IntArray

    def __len__(self) -> int:
        return len(self.first)

    def total(self, values: NDArray[Any] | int) -> NDArray[Any]:
        """(groups,) the sums of values, one for all or (tokens,), over the tokens of each group."""
        return np.add.reduceat(np.broadcast_to(values, self.of.shape), self.first)

    def largest(self, values: NDArray[Any]) -> NDArray[Any]:
        """(groups,) the largest value of each group's tokens."""
        largest: NDArray[Any] = np.maximum.reduceat(values, self.first)
        return largest

    def join(self, wires: list[Wire], graph: GraphBuilder) -> Wire:
        """(groups,) tasks that finish when those of ``wires`` have, for all tokens of the group."""
        ready = graph.join([], self.token)
        for wire in wires:
            graph.edge(wire, ready[self.of])
        return ready


def grouped(tokens: Tokens, most: int, *, by_sequence: bool) -> Groups:
    """Consecutive tokens of a pass in groups of up to ``most``; ``by_sequence`` keeps sequences apart."""
    new = np.ones(len(tokens), dtype=bool)
    new[1:] = tokens.pass_[1:] != tokens.pass_[:-1]
    if by_sequence:
        new[1:] |= tokens.sequence[1:] != tokens.sequence[:-1]
    run = np.cumsum(new) - 1
    within = np.arange(len(tokens)) - np.flatnonzero(new)[run]
    begins = within % most == 0
    first = np.flatnonzero(begins)
    return Groups(np.cumsum(begins) - 1, first, tokens.index[first], tokens.pass_[first])


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is fetched for groups, cut into pieces: arrays of shape (pieces,) but for the last two.

    Args: group: whose it is; nbytes: of the piece; end: of the piece, counted from the group's first byte;
        total: bytes of its group; first, last: (groups,) the first and the last piece of each group.
    """

    group: IntArray
    nbytes: IntArray
    end: IntArray
    total: IntArray
    first: IntArray
    last: IntArray

    def shares(self, whole: IntArray) -> IntArray:
        """Whole numbers, (groups,), dealt to the pieces by their bytes; they sum up exactly."""
        until = whole[self.group] * self.end // self.total
        before = whole[self.group] * (self.end - self.nbytes) // self.total
        return until - before

    def parts(self, whole: NDArray[Any]) -> NDArray[np.float64]:
        """Numbers, (groups,), dealt to the pieces in proportion to their bytes."""
        return whole[self.group] * (self.nbytes / self.total)


def cut(nbytes: IntArray, piece_bytes: int) -> Pieces:
    """Bytes that groups want, (groups,), in pieces of up to ``piece_bytes``."""
    counts = -(-nbytes // piece_bytes)
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    group = np.repeat(np.arange(len(nbytes)), counts)
    total = nbytes[group]
    begin = (np.arange(len(group)) - first[group]) * piece_bytes
    end = np.minimum(begin + piece_bytes, total)
    return Pieces(group, end - begin, end, total, first, last)
