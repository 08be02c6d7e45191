"""Tokens, values and sizes, which parts exchange."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from archsim.parts.part import Size, Tokens, Value

READY = np.arange(3, dtype=np.int32)


def test_bytes_of_a_value() -> None:
    # 5 x 12 bits = 60 bits, 8 bytes; 100 sums of 32 bits, four of each still to be added
    assert int(Value(READY, 5, 12, "here").nbytes) == 8
    assert int(Value(READY, 100, 32, "here", partial_sums=4).nbytes) == 1600
    assert np.asarray(Value(READY, np.array([1, 2, 3]), 12, "here").nbytes).tolist() == [2, 3, 5]


def test_taking_some_tokens() -> None:
    value = Value(READY, np.array([10, 20, 30]), 8, "here", slots=4).take(np.array([2, 0]))
    assert (value.ready.tolist(), value.width.tolist(), value.slots) == ([2, 0], [30, 10], 4)
    assert Value(READY, 7, 8, "here").take(np.array([1])).width == 7
    tokens = Tokens(READY, READY, READY, READY + 10, READY).take(np.array([1, 2]))
    assert (len(tokens), tokens.keys.tolist()) == (2, [11, 12])


def test_sizes_add_up() -> None:
    assert Size(2, Fraction(3, 2)) + Size(1, Fraction(1, 4)) == Size(3, Fraction(7, 4))
