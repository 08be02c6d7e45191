"""A small machine of toy kinds, so that these tests do not move with the real kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, model_validator

from archsim.cost.entry import Cost, Count, Positive, Section
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.facts import MachineFacts
from archsim.parts.registry import MEDIUM_KINDS, PART_KINDS

TOY = """\
system:
  name: toy
  clock_ghz: 2
  technology_nm: 65
  chips: 2
  chip_link: {kind: wire, gb: 10}
chip:
  pus: 3
  interconnect: {kind: wire, gb: 1e3}
  global_bus: {kind: wire, gb: 1_000}
pu:
  bus:
    kind: wire
    gb: 5
    sources: {gb: "assumption: as wide as the cells"}
  parts:
    cells:
      kind: crossbar
      count: 4
      shape:
        rows: 64
        columns: 128
      cost:
        energy_pj: 1.5
        area_mm2: 0.25
        source: "assumption: a guess"
    vector:
      kind: vector
      count: 2
      inside: cells
      passes: {softmax: 3}
mapping:
  linear: cells
  attention: cells
  nonlinear: vector
  intermediates: cells
  slc_rate: 0.5
  score_slots: 4
"""


class Wire(Section):
    kind: Literal["wire"]
    gb: Positive
    """Bytes a nanosecond."""

    def build(self, name: str, clock_ghz: float) -> Any:
        return (name, self.gb, clock_ghz)


class Shape(Section):
    rows: Annotated[int, Field(ge=1, le=4096)]
    """Wordlines."""
    columns: Annotated[int, Field(gt=1, lt=4096)]
    """Bitlines."""

    @model_validator(mode="after")
    def _wide(self) -> Self:
        if self.columns < self.rows:
            raise ValueError(f"columns ({self.columns}) must not be below rows ({self.rows})")
        return self


@dataclass(frozen=True)
class Built:
    name: str
    count: int
    facts: MachineFacts
    modes: tuple[str, ...]
    readable: bool = True
    group_tokens: int = 1


class Crossbar(Section):
    kind: Literal["crossbar"]
    count: Count
    """How many."""
    inside: str | None = None
    shape: Shape
    cost: Cost
    """Of one crossbar."""
    gated: bool = False
    label: str | None = None
    weights: list[int] = Field(default_factory=list)
    spare: Shape | None = None

    def build(self, name: str, count: int, machine: MachineFacts) -> Built:
        return Built(name, count, machine, ("slc", "mlc"))


class Vector(Section):
    kind: Literal["vector"]
    count: Count
    inside: str | None = None
    passes: dict[str, Count]

    def build(self, name: str, count: int, machine: MachineFacts) -> Built:
        return Built(name, count, machine, ())


@pytest.fixture
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PART_KINDS, "crossbar", Crossbar)
    monkeypatch.setitem(PART_KINDS, "vector", Vector)
    monkeypatch.setitem(MEDIUM_KINDS, "wire", Wire)


@pytest.fixture
def toy() -> str:
    return TOY


@pytest.fixture
def load(toy_kinds: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    """Loads a text, or the bytes of one, as the file hw.yaml."""
    monkeypatch.chdir(tmp_path)

    def load_text(content: str | bytes, overrides: Sequence[str] | Mapping[str, Any] = ()) -> Machine:
        Path("hw.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_hardware("hw.yaml", overrides)

    return load_text
