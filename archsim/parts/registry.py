"""The kinds of parts and media that a hardware YAML may name: a new kind is one line here.

A kind's model also has a ``build`` method (see ``PartModel`` and ``MediumModel``), which makes the part
or the medium that mapping and schedule work with.
"""

from __future__ import annotations

from typing import Protocol

from archsim.cost.entry import Section
from archsim.parts.analog_module import AnalogModuleModel
from archsim.parts.facts import MachineFacts
from archsim.parts.links import LinkModel
from archsim.parts.nor_module import NorModuleModel
from archsim.parts.part import Medium, Part
from archsim.parts.sfu import SfuModel

PART_KINDS: dict[str, type[Section]] = {
    "analog_rram": AnalogModuleModel,
    "digital_nor": NorModuleModel,
    "sfu": SfuModel,
}
"""Models of the parts of a PU, by ``kind``."""

MEDIUM_KINDS: dict[str, type[Section]] = {
    "bus": LinkModel,
    "link": LinkModel,
}
"""Models of buses and links, by ``kind``."""


class PartModel(Protocol):
    """What every model of ``PART_KINDS`` offers to the machine that it stands in."""

    @property
    def count(self) -> int:
        """Instances in a PU, or in each instance of the part ``inside`` which they stand."""

    @property
    def inside(self) -> str | None:
        """The part that it stands in, or None for the PU itself."""

    def build(self, name: str, count: int, machine: MachineFacts) -> Part:
        """The part called ``name``, of which a PU has ``count``."""


class MediumModel(Protocol):
    """What every model of ``MEDIUM_KINDS`` offers to the machine that it stands in."""

    def build(self, name: str, clock_ghz: float) -> Medium:
        """The medium called ``name``."""
