"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no failure because a machine is slow.
settings.register_profile("archsim", derandomize=True, deadline=None)
settings.load_profile("archsim")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[1]
