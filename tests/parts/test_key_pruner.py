"""The key pruner of the SPRINT preset: 74.6 % of the keys, found by their four upper bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.parts.part import NO_SIZE, Part
from archsim.workload.operations import Operation, Precision

SCORES = Operation("s", "attention_scores", 0, heads=16, kv_heads=16, head_size=64)


@pytest.fixture(scope="module")
def pruner(root: Path) -> Callable[..., Part]:
    return lambda *overrides: load_hardware(
        root / "hwconfigs/sprint.yaml", [f"pu.parts.pruner.{change}" for change in overrides]
    ).parts["pruner"]


def test_a_query(pruner: Callable[..., Part], execute: Callable[..., Any]) -> None:
    # of 128 keys floor(95.488) are pruned, of 2 keys 1, of one none
    run = execute(pruner(), SCORES, [1024, 1024], keys=(128, 2, 1))
    assert run.times == [(8, 8)] * 3
    assert run.value.width.tolist() == [33 * 16, 16, 16]
    # the number of one of 128 keys
    assert run.value.bits == 8
    assert run.actions == {"pruner.product": 131 * 1024}
    assert run.energy_pj == pytest.approx(131 * 1024 * 0.10)


def test_sparsity_is_exact(pruner: Callable[..., Part], execute: Callable[..., Any]) -> None:
    # 0.29 of 100 keys are 29, although 100 * 0.29 is below 29 in binary
    run = execute(pruner("sparsity=0.29"), SCORES, [1024, 1024], keys=(100,))
    assert run.value.width.tolist() == [71 * 16]
    run = execute(pruner("sparsity=0"), SCORES, [1024, 1024], keys=(100,))
    assert run.value.width.tolist() == [1600]


def test_keys_are_written(pruner: Callable[..., Part], store: Callable[..., Any]) -> None:
    # half of 1024 bytes at 2.56 bytes a ns, 24.4 pJ a bit
    run = store(pruner(), 1024)
    assert run.times == [(200, 200)]
    assert run.energy_pj == pytest.approx(512 * 8 * 24.4)
    assert pruner().cache_size(1001) == 501


def test_holds_and_executes_nothing_else(pruner: Callable[..., Part]) -> None:
    part = pruner()
    assert part.refuses(Operation("c", "attention_context", 0), Precision()) == (
        "key pruners take coarse attention scores only, not 'attention_context'"
    )
    assert part.refuses(SCORES, Precision()) == ""
    assert (part.size(None), part.interval(None, Precision())) == (NO_SIZE, 0)  # type: ignore[arg-type]
    assert (part.peak_macs_per_cycle(Precision()), part.warnings([], Precision())) == (0, ())
    assert part.program([]).energy_pj == 0
    with pytest.raises(MappingError, match="'pruner' holds the upper bits of keys, which other parts cannot"):
        part.read(None, None, None, None)  # type: ignore[arg-type]


def test_a_pruner_leaves_something(pruner: Callable[..., Part]) -> None:
    with pytest.raises(HardwareError) as caught:
        pruner("sparsity=1")
    assert str(caught.value) == "--set pu.parts.pruner.sparsity=1: must be less than 1, not 1"
