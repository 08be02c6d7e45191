"""Sections of a YAML whose class is chosen by their ``kind``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from archsim.cost.entry import Section
from archsim.errors import did_you_mean


@dataclass(frozen=True, eq=False)
class ByKind:
    """Marks a field of a section as one of several classes, the one that its key ``kind`` names.

    Args: classes: by kind; noun: what they are, such as ``part``.
    """

    classes: Mapping[str, type[Section]]
    noun: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def parse(self, value: Any) -> Section:
        """The section that ``value`` describes.

        Raises: PydanticCustomError, ValidationError: for pydantic to add to its own.
        """
        if not isinstance(value, dict):
            raise PydanticCustomError("model_type", "must be a section")
        if "kind" not in value:
            raise self._bad_kind(f"missing: the kind of {self.noun}, {self._known}", value)
        chosen = self.class_of(value)
        if chosen is None:
            kind = value["kind"]
            hint = did_you_mean(kind, self.classes) if isinstance(kind, str) else ""
            shown = repr(kind) if isinstance(kind, str) else str(kind)
            raise self._bad_kind(f"must be a kind of {self.noun}, {self._known}, not {shown}{hint}", value)
        return chosen.model_validate(value)

    def class_of(self, value: Any) -> type[Section] | None:
        """The class that ``value`` names, or None."""
        kind = value.get("kind") if isinstance(value, dict) else None
        return self.classes.get(kind) if isinstance(kind, str) else None

    @property
    def _known(self) -> str:
        return f"one of: {', '.join(sorted(self.classes))}"

    def _bad_kind(self, message: str, value: Any) -> ValidationError:
        error = PydanticCustomError("bad_kind", "{message}", {"message": message})
        details = InitErrorDetails(type=error, loc=("kind",), input=value.get("kind"))
        return ValidationError.from_exception_data("kind", [details])
