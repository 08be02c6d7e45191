"""What is stored: complemented columns, blocks of rows, the largest sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.cells import Cells, block_sums, store
from archsim.crossbar.coding import Slices


def cells(levels: list[list[int]], cell_bits: int = 2, block_rows: int = 2, **options: object) -> Cells:
    """One slice of the levels (rows, columns)."""
    settings = {"access_rows": None, "flip": True, **options}
    slices = Slices(np.array([levels], dtype=np.uint8), np.array([1]), 0)
    return store(slices, cell_bits, block_rows, **settings)  # type: ignore[arg-type]


def test_more_than_half_is_complemented_half_is_not() -> None:
    # blocks of two rows with cells of 0 to 3: half of the full sum of 6 is 3; the last block has one row
    found = cells([[0, 3], [3, 1], [3, 0], [3, 0], [2, 1]])
    assert found.flipped[:, 0].tolist() == [[False, True], [True, False], [True, False]]
    assert found.levels[0].tolist() == [[0, 0], [3, 2], [0, 0], [0, 0], [1, 1]]
    assert found.largest_sums()[:, 0].tolist() == [[3, 2], [0, 0], [1, 1]]


def test_without_flip_all_stays() -> None:
    found = cells([[3, 3], [3, 1]], flip=False)
    assert not found.flipped.any()
    assert found.levels[0].tolist() == [[3, 3], [3, 1]]


@pytest.mark.parametrize(
    ("access", "full"),
    # so many cells of level 3: those of a block, or of an access if they are fewer
    [(None, 192), (16, 48), (64, 192), (100, 192)],
)
def test_the_full_sum(access: int | None, full: int) -> None:
    found = cells([[3]] * 130, block_rows=64, access_rows=access, flip=False)
    assert (found.full_sum, found.top, found.blocks) == (full, 3, 3)
    # the last block has two rows
    assert found.largest_sums()[:, 0, 0].tolist() == [full, full, 6]


@given(
    st.integers(1, 4),
    st.integers(1, 9),
    st.lists(st.integers(0, 15), min_size=1, max_size=30),
)
def test_flip_halves_the_largest_sum_and_loses_nothing(
    cell_bits: int, block_rows: int, numbers: list[int]
) -> None:
    top = 2**cell_bits - 1
    levels = [[number & top] for number in numbers]
    found = cells(levels, cell_bits, block_rows)
    assert 2 * found.largest_sums().max() <= block_rows * top
    flipped = np.repeat(found.flipped[:, 0], block_rows, axis=0)[: len(levels)]
    assert np.where(flipped, top - found.levels[0], found.levels[0]).tolist() == levels


def test_sums_of_blocks() -> None:
    levels = np.array([[[1, 2], [3, 0], [2, 2]], [[0, 0], [1, 1], [3, 0]]], dtype=np.uint8)
    assert block_sums(levels, 2).tolist() == [[[4, 2], [1, 1]], [[2, 2], [3, 0]]]
    # 255 levels of 3 do not fit uint8
    assert block_sums(np.full((1, 255, 1), 3, dtype=np.uint8), 255).tolist() == [[[765]]]


def test_columns_are_taken_with_all_that_they_have() -> None:
    found = cells([[0, 3, 1], [3, 1, 1]])
    some = found.take(np.array([2, 1]))
    assert some.levels[0].tolist() == found.levels[0][:, [2, 1]].tolist()
    assert some.flipped.tolist() == found.flipped[:, :, [2, 1]].tolist()
    assert some.conductance is None
