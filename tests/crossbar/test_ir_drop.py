"""Voltage lost along the wires of an array, by hand and against the whole network of resistors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.ir_drop import kept_voltage


def test_a_lone_cell_is_a_voltage_divider() -> None:
    """A piece of wire ahead of the cell, and one behind it: R / (R + 2 r)."""
    assert kept_voltage(np.array([[1 / 6000]]), 3, 0.5)[0, 0] == pytest.approx(6000 / 6006)


def test_two_rows_and_two_columns_by_hand() -> None:
    """Conductances a b / c d, in units of 1 / wire_ohm; half of the other rows are driven.

    Loss of the cell in row i and column j: along its row, the currents of both cells times the pieces that
    they share with it; along its column its own current, and half of the other cell's, likewise.
        a: row a + b, column a + c/2
        b: row a + 2 b, column b + d/2
        c: row c + d, column 2 c + a/2
        d: row c + 2 d, column 2 d + b/2
    """
    a, b, c, d = 1e-3, 2e-3, 3e-3, 4e-3
    loss = np.array(
        [
            [(a + b) + (a + c / 2), (a + 2 * b) + (b + d / 2)],
            [(c + d) + (2 * c + a / 2), (c + 2 * d) + (2 * d + b / 2)],
        ]
    )
    np.testing.assert_allclose(kept_voltage(np.array([[a, b], [c, d]]), 1, 0.5), 1 / (1 + loss), rtol=1e-12)


def solved(siemens: Any, wire_ohm: float, driven: Any) -> Any:
    """(rows, columns) the voltages across the cells, with all nodes of both wires of each cell solved for."""
    rows, columns = siemens.shape
    count, wire = rows * columns, 1 / wire_ohm
    matrix, current = np.zeros((2 * count, 2 * count)), np.zeros(2 * count)

    def join(one: int, other: int, conductance: float) -> None:
        for here, there in ((one, other), (other, one)):
            matrix[here, here] += conductance
            matrix[here, there] -= conductance

    for row in range(rows):
        for column in range(columns):
            above, below = row * columns + column, count + row * columns + column
            join(above, below, siemens[row, column])
            matrix[above, above] += wire if column == 0 else 0
            current[above] += wire * driven[row] if column == 0 else 0
            matrix[below, below] += wire if row == 0 else 0
            if column:
                join(above, above - 1, wire)
            if row:
                join(below, below - columns, wire)
    voltage = np.linalg.solve(matrix, current)
    return (voltage[:count] - voltage[count:]).reshape(rows, columns)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5), (8, 4)])
def test_the_loss_is_that_of_the_whole_network_to_first_order(shape: tuple[int, int]) -> None:
    """With all rows driven: ten times the wire is ten times the loss and a hundred times the error."""
    siemens = np.random.default_rng(0).uniform(1e-5, 1.6e-4, shape)
    errors = []
    for wire_ohm in (0.1, 1.0):
        exact = solved(siemens, wire_ohm, np.ones(shape[0]))
        errors.append(np.abs(kept_voltage(siemens, wire_ohm, 1.0) - exact).max())
        assert errors[-1] < 0.05 * (1 - exact).max()
    assert errors[0] < 1e-12 or errors[1] / errors[0] == pytest.approx(100, rel=0.05)


def test_the_chance_of_a_driven_row_is_the_mean_over_inputs() -> None:
    """To first order: the mean over all inputs that drive the cell's own row."""
    siemens, wire_ohm = np.random.default_rng(1).uniform(1e-5, 1.6e-4, (3, 2)), 1e-3
    for row in range(3):
        others = [number for number in range(3) if number != row]
        kept = []
        for pattern in range(4):
            driven = np.ones(3)
            driven[others] = pattern & 1, pattern >> 1
            kept.append(solved(siemens, wire_ohm, driven)[row])
        lost = 1 - kept_voltage(siemens, wire_ohm, 0.5)[row]
        np.testing.assert_allclose(1 - np.mean(kept, axis=0), lost, rtol=1e-4)


@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    wire_ohm=st.floats(0, 1e6),
    active=st.floats(0, 1),
)
def test_no_cell_gains_and_none_turns_negative(
    rows: int, columns: int, wire_ohm: float, active: float
) -> None:
    siemens = np.random.default_rng(rows * columns).uniform(0, 1e-3, (rows, columns))
    kept = kept_voltage(siemens, wire_ohm, active)
    assert ((kept > 0) & (kept <= 1)).all()
    further = kept_voltage(siemens, 2 * wire_ohm, active)
    assert (further <= kept).all()
