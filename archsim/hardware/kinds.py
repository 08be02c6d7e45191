"""Sections whose class is chosen by their ``kind``, and the class that a path of the YAML leads to."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from archsim.cost.entry import Section
from archsim.errors import did_you_mean


@dataclass(frozen=True)
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


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping whose keys are the user's: named parts, sources, passes.

    Args: annotation: of its values.
    """

    annotation: Any

    @property
    def of_sections(self) -> bool:
        """Whether its values are sections."""
        marks = get_args(self.annotation)[1:] if get_origin(self.annotation) is Annotated else ()
        by_kind = any(isinstance(mark, ByKind) for mark in marks)
        return by_kind or what_stands_at(self.annotation, None) is not None


def field_names(section: type[Section]) -> list[str]:
    """The keys that a section may have, ``sources`` last."""
    return [name for name in section.model_fields if name != "sources"] + ["sources"]


def field_annotation(field: FieldInfo) -> Any:
    """A field's type together with its bounds and marks, which pydantic keeps apart."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def what_stands_at(annotation: Any, value: Any) -> type[Section] | Entries | None:
    """What the YAML value of a field is: a section of some class, entries, or None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        for mark in marks:
            if isinstance(mark, ByKind):
                return mark.class_of(value)
        return what_stands_at(inner, value)
    if origin is dict:
        return Entries(get_args(annotation)[1])
    if origin in (Union, types.UnionType):
        found = (what_stands_at(choice, value) for choice in get_args(annotation))
        return next((what for what in found if what is not None), None)
    return None


def look_up(root: type[Section], data: Any, path: Sequence[str | int]) -> type[Section] | Entries | None:
    """What stands at ``path`` of ``data``, a YAML document of class ``root``."""
    what: type[Section] | Entries | None = root
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
        if isinstance(what, Entries):
            what = what_stands_at(what.annotation, data)
        elif what is not None and step in what.model_fields:
            what = what_stands_at(field_annotation(what.model_fields[str(step)]), data)
        else:
            return None
    return what
