"""Groups of tokens, and the pieces of what is fetched for them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archsim.parts.part import Tokens
from archsim.parts.pieces import cut, grouped


def tokens(passes: list[int], sequences: list[int] | None = None) -> Tokens:
    index = np.arange(len(passes)) + 10
    return Tokens(np.array(sequences or [0] * len(passes)), np.array(passes), index, index, index)


def test_groups_do_not_mix_passes() -> None:
    # three tokens of a prefill and two decode steps of one token, in groups of two
    groups = grouped(tokens([0, 0, 0, 1, 2]), 2, by_sequence=False)
    assert groups.of.tolist() == [0, 0, 1, 2, 3]
    assert groups.first.tolist() == [0, 2, 3, 4]
    assert groups.token.tolist() == [10, 12, 13, 14]
    assert groups.pass_.tolist() == [0, 0, 1, 2]


def test_groups_mix_sequences_unless_told_not_to() -> None:
    batch = tokens([0] * 6, [0, 0, 0, 1, 1, 1])
    assert grouped(batch, 4, by_sequence=False).of.tolist() == [0, 0, 0, 0, 1, 1]
    assert grouped(batch, 4, by_sequence=True).of.tolist() == [0, 0, 0, 1, 1, 1]
    assert grouped(batch, 2, by_sequence=True).of.tolist() == [0, 0, 1, 2, 2, 3]


def test_sums_and_largest_of_groups() -> None:
    groups = grouped(tokens([0, 0, 0]), 2, by_sequence=False)
    assert groups.total(5).tolist() == [10, 5]
    assert groups.total(np.array([1, 2, 4])).tolist() == [3, 4]
    assert groups.largest(np.array([1, 2, 4])).tolist() == [2, 4]


def test_pieces_of_two_groups() -> None:
    # 40 bytes are pieces of 16, 16 and 8; 10 bytes are one
    pieces = cut(np.array([40, 10]), 16)
    assert pieces.group.tolist() == [0, 0, 0, 1]
    assert pieces.nbytes.tolist() == [16, 16, 8, 10]
    assert (pieces.first.tolist(), pieces.last.tolist()) == ([0, 3], [2, 3])
    # 7 cycles: 7 * 16 / 40 = 2.8 until the first piece, 5.6 until the second
    assert pieces.shares(np.array([7, 1])).tolist() == [2, 3, 2, 1]
    assert pieces.parts(np.array([5.0, 2.0])).tolist() == [2.0, 2.0, 1.0, 2.0]


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**6)), min_size=1, max_size=5),
    st.integers(10**6, 10**9),
)
def test_pieces_sum_to_the_whole(groups: list[tuple[int, int]], piece_bytes: int) -> None:
    nbytes, whole = (np.array(column) for column in zip(*groups, strict=True))
    pieces = cut(nbytes, piece_bytes)
    assert np.bincount(pieces.group, pieces.nbytes).tolist() == nbytes.tolist()
    assert np.bincount(pieces.group, pieces.shares(whole)).tolist() == whole.tolist()
    assert (pieces.nbytes > 0).all() and (pieces.nbytes <= piece_bytes).all()
    assert (pieces.shares(whole) >= 0).all()
