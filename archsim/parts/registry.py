"""The kinds of parts and media that a hardware YAML may name: a new kind is one line here.

A kind's model also has a ``build`` method (see ``PartModel`` and ``MediumModel``), which makes the part
or the medium that mapping and schedule work with.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Protocol

from archsim.cost.entry import Section
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Medium, Part


class Kinds(MutableMapping[str, type[Section]]):
    """Models by ``kind``; the file of a kind is imported when its model is first asked for.

    Args: models: where each stands, as ``module.Class``.
    """

    def __init__(self, models: dict[str, str]) -> None:
        self._models: dict[str, type[Section] | str] = dict(models)

    def __getitem__(self, kind: str) -> type[Section]:
        model = self._models[kind]
        if isinstance(model, str):
            module, _, name = model.rpartition(".")
            model = self._models[kind] = getattr(import_module(module), name)
        return model

    def __setitem__(self, kind: str, model: type[Section]) -> None:
        self._models[kind] = model

    def __delitem__(self, kind: str) -> None:
        del self._models[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)


PART_KINDS = Kinds(
    {
        "analog_attention": "archsim.parts.analog_attention.AnalogAttentionModel",
        "analog_rram": "archsim.parts.analog_module.AnalogModuleModel",
        "digital_nor": "archsim.parts.nor_module.NorModuleModel",
        "digital_processor": "archsim.parts.digital_processor.DigitalProcessorModel",
        "integer_sfu": "archsim.parts.integer_sfu.IntegerSfuModel",
        "key_pruner": "archsim.parts.key_pruner.KeyPrunerModel",
        "memory_banks": "archsim.parts.memory.MemoryModel",
        "near_bank": "archsim.parts.near_bank.NearBankModel",
        "sfu": "archsim.parts.sfu.SfuModel",
    }
)
"""Models of the parts of a PU, by ``kind``."""

MEDIUM_KINDS = Kinds(
    {
        "bus": "archsim.parts.links.LinkModel",
        "link": "archsim.parts.links.LinkModel",
    }
)
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
