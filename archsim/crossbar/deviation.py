"""How far a product is from the one it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Deviation:
    """The errors of a product, all its elements together.

    Args: spread: standard deviation of the exact elements; rms: root mean square of the errors; largest:
        magnitude of an error; both in the units of the product.
    """

    spread: float
    rms: float
    largest: float

    @property
    def relative_rms(self) -> float | None:
        """``rms`` as a share of the spread; None where all exact elements are alike."""
        return self.rms / self.spread if self.spread else None

    @property
    def relative_largest(self) -> float | None:
        """``largest`` as a share of the spread; None where all exact elements are alike."""
        return self.largest / self.spread if self.spread else None


def deviation(values: NDArray[Any], exact: NDArray[Any]) -> Deviation:
    """The errors of ``values`` against ``exact``, both of the same shape and with an element at least."""
    whole = np.asarray(exact, dtype=np.float64)
    errors = np.asarray(values, dtype=np.float64) - whole
    return Deviation(
        float(whole.std()), float(np.sqrt(np.mean(errors**2))), float(np.abs(errors).max(initial=0.0))
    )
