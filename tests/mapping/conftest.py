"""The preset machine, changed by overrides, and traces of a few operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.workload.operations import Operation, Phase, Precision, Trace

PRESET = Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml"

MachineOf = Callable[..., Machine]
TraceOf = Callable[..., Trace]


@pytest.fixture
def machine_of(monkeypatch: pytest.MonkeyPatch) -> MachineOf:
    """The preset with overrides such as ``"chip.pus=2"``; its errors name ``hyflexpim.yaml``."""
    monkeypatch.chdir(PRESET.parent)
    return lambda *overrides: load_hardware(PRESET.name, list(overrides))


@pytest.fixture
def trace_of() -> TraceOf:
    """A prefill of ``tokens`` through the operations that are given."""

    def build(*operations: Operation, tokens: int = 4, batch: int = 1) -> Trace:
        return Trace("toy", "full", batch, Precision(), (Phase("prefill", tokens),), operations)

    return build
