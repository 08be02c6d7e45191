"""The class of section that a path of a hardware YAML leads to."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from archsim.cost.by_kind import ByKind
from archsim.cost.entry import Section


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
