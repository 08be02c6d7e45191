"""The version of what archsim computes, by which points that were computed earlier are known as current."""

from __future__ import annotations

from archsim.results.record import SCHEMA

REVISION = 5
"""Raised whenever the same inputs give other numbers than before, so that no stored point is out of date."""

RESULT_VERSION = f"{SCHEMA}, revision {REVISION}"
"""Part of every point's key, and of every store."""
