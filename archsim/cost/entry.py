"""Cost entries as they stand in a hardware YAML, and the strict base of every YAML section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

ABSURD = 1e12
"""No number of a hardware description is larger than this: a typing slip, not a machine."""

Count = Annotated[int, Field(ge=1, le=10**9)]
Positive = Annotated[float, Field(gt=0, le=ABSURD)]
NonNegative = Annotated[float, Field(ge=0, le=ABSURD)]
Source = Annotated[str, Field(min_length=3)]

PLAIN = (str, float, int, type(None))
"""What no section can be, so that pydantic, which takes long to say so, need not be asked."""


class Section(BaseModel):
    """Base of every section of a hardware YAML: unknown keys, wrong types and infinities are errors.

    ``sources`` says where a section's own numbers come from: field name -> citation, ``derived: ...``
    or ``assumption: ...``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    sources: dict[str, Source] = Field(default_factory=dict)
    """Where the numbers of this section come from, by field name."""

    @model_validator(mode="after")
    def _sources_name_fields(self) -> Self:
        unknown = sorted(self.sources.keys() - type(self).model_fields.keys()) if self.sources else []
        if unknown:
            raise ValueError(f"sources names {unknown[0]!r}, which is not a field of this section")
        return self


class Cost(Section):
    """What one component costs: one row of a paper's table.

    Exactly one of ``energy_pj`` (of one action) and ``active_power_mw`` (of all the component's
    instances together while they are busy, as papers print it). A deliberate zero is written as 0.
    """

    energy_pj: NonNegative | None = None
    """Energy of one action, in pJ."""
    active_power_mw: NonNegative | None = None
    """Power while busy, in mW, of all instances that the row counts."""
    leakage_mw: NonNegative = 0.0
    """Power while idle or busy, in mW, of all instances that the row counts."""
    area_mm2: NonNegative
    """Area of all instances that the row counts, in mm2."""
    source: Source
    """A citation, ``derived: ...`` or ``assumption: ...``."""

    @model_validator(mode="after")
    def _one_energy(self) -> Self:
        if (self.energy_pj is None) == (self.active_power_mw is None):
            given = "neither" if self.energy_pj is None else "both"
            raise ValueError(f"give one of energy_pj and active_power_mw, not {given}")
        return self

    def action_pj(self, busy_ns: float, actions: float) -> float:
        """Energy of one action, in pJ: as given, or from the power of a component that is busy.

        Args: busy_ns: for so long; actions: that all the instances of the row do meanwhile.
        """
        if self.active_power_mw is not None:
            return self.active_power_mw * busy_ns / actions
        assert self.energy_pj is not None, "a cost has an energy or a power"
        return self.energy_pj


@dataclass(frozen=True, slots=True)
class Charge:
    """What one action of a part costs one of its components.

    Args: component: the row of the breakdown that it counts towards, such as ``analog.adc``;
        energy_pj: of one action.
    """

    component: str
    energy_pj: float


@dataclass(frozen=True, slots=True)
class Component:
    """Area and power of one component of one instance of a part.

    Args: name: such as ``analog.adc``; peak_power_mw: when all of it is busy.
    """

    name: str
    area_mm2: float
    peak_power_mw: float
    leakage_mw: float


@dataclass(frozen=True, slots=True)
class CostTable:
    """The costs of one instance of a part.

    Args: actions: by full name, such as ``analog.adc.mlc``, the key under which the task graph counts it,
        what it charges to which components; components: what one instance consists of;
        cells: memory cells that wear out; write_action: the action that counts the cells written;
        endurance_writes: that a cell survives, None where nobody says.
    """

    actions: dict[str, tuple[Charge, ...]]
    components: tuple[Component, ...]
    cells: int = 0
    write_action: str = ""
    endurance_writes: float | None = None
