"""Errors of a product, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.crossbar.deviation import deviation


def test_errors_and_their_share_of_the_spread() -> None:
    # exact 0 and 4 spread by 2; errors of 1 and -3: sqrt((1 + 9) / 2)
    found = deviation(np.array([[1, 1]]), np.array([[0, 4]]))
    assert (found.spread, found.largest) == (2, 3)
    assert found.rms == pytest.approx(5**0.5)
    assert found.relative_rms == pytest.approx(5**0.5 / 2)
    assert found.relative_largest == 1.5


def test_without_spread_nothing_is_relative() -> None:
    found = deviation(np.array([[3.5, 3.0]]), np.array([[3, 3]]))
    assert (found.relative_rms, found.relative_largest, found.largest) == (None, None, 0.5)
