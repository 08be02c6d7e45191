"""The Pareto set: the points that no other point beats in every objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.explore.objectives import Objective


def pareto_set(rows: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> list[int]:
    """The places of the rows that are in the Pareto set, the best by the first objective first.

    A row without a number for an objective (infeasible points have none) is never in it.
    """
    costs = np.array(
        [[_cost(row.get(each.column), each) for each in objectives] for row in rows], dtype=np.float64
    ).reshape(len(rows), len(objectives))
    found = np.flatnonzero(pareto_mask(costs))
    order = np.lexsort(costs[found].T[::-1])
    return [int(place) for place in found[order]]


def pareto_mask(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other one dominates, that is, is nowhere worse and somewhere better.

    Points that tie in everything are in the set together or outside it; one that is not finite is outside.
    Args: costs: (points, objectives), each to be minimised.
    Returns: (points,).
    """
    mask = np.zeros(len(costs), dtype=bool)
    finite = np.flatnonzero(np.isfinite(costs).all(axis=1))
    if not len(finite):
        return mask
    # unique rows come sorted by their first objective, then the second, ...: the first one left is in the
    # set, since what could dominate it would have been before it
    rows, places = np.unique(costs[finite], axis=0, return_inverse=True)
    left = np.arange(len(rows))
    kept = np.zeros(len(rows), dtype=bool)
    while len(left):
        best = left[0]
        kept[best] = True
        left = left[(rows[left] < rows[best]).any(axis=1)]
    mask[finite] = kept[places.ravel()]
    return mask


def _cost(value: Any, objective: Objective) -> float:
    """What is to be minimised; NaN where there is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return np.nan
    return -float(value) if objective.direction == "max" else float(value)
