"""The reference of the hardware YAML, written from the models that check it."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from archsim.cost.by_kind import ByKind
from archsim.cost.entry import Cost, Section
from archsim.hardware.kinds import field_annotation, field_names, what_stands_at
from archsim.hardware.machine import HardwareModel
from archsim.hardware.meaning import meanings
from archsim.parts.arithmetic import WRITE_NOISE_KINDS
from archsim.parts.registry import MEDIUM_KINDS, PART_KINDS

_PLAIN = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`", type(None): "`null`"}
_NO_LIMIT = 1e9
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def reference_markdown() -> str:
    """Tables of all sections, kinds and costs: key, value, default, meaning."""
    blocks = [
        _table(f"Section `{name}`", what)
        for name, field in HardwareModel.model_fields.items()
        if isinstance(what := what_stands_at(field.annotation, None), type)
    ]
    blocks += [_table(f"Part of kind `{kind}`", model) for kind, model in PART_KINDS.items()]
    for model in dict.fromkeys(MEDIUM_KINDS.values()):
        kinds = [f"`{kind}`" for kind, other in MEDIUM_KINDS.items() if other is model]
        blocks.append(_table(f"Medium of kind {' or '.join(kinds)}", model))
    blocks += [_table(f"Noise of kind `{kind}`", model) for kind, model in WRITE_NOISE_KINDS.items()]
    blocks.append(_table("A cost", Cost))
    return "\n\n".join(blocks) + "\n"


def _table(title: str, section: type[Section]) -> str:
    head = [f"### {title}", "", _prose(section.__doc__ or ""), ""]
    head += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join(head + list(_rows(section, "")))


def _rows(section: type[Section], prefix: str) -> Iterator[str]:
    """A row for each key, those of a section inside the section below its own."""
    for name in field_names(section)[:-1]:
        field = section.model_fields[name]
        annotation = field_annotation(field)
        cells = (
            f"`{prefix}{name}`",
            describe(annotation),
            _default(field),
            _prose(meanings(section).get(name, "")),
        )
        yield f"| {' | '.join(cells)} |"
        inner = what_stands_at(annotation, None)
        if isinstance(inner, type) and not issubclass(inner, Cost):
            yield from _rows(inner, f"{prefix}{name}.")


def describe(annotation: Any) -> str:
    """What may be written as a value of a type, with its bounds."""
    origin, choices = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        by_kind = [mark for mark in choices[1:] if isinstance(mark, ByKind)]
        return f"a {by_kind[0].noun}" if by_kind else describe(choices[0]) + _bounds(choices[1:])
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in choices)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(choice) for choice in choices)
    if origin is dict:
        return f"by name: {describe(choices[1])}"
    if origin in (list, tuple):
        return f"list of: {describe(choices[0])}"
    if issubclass(annotation, Section):
        return "a cost" if issubclass(annotation, Cost) else "section"
    return _PLAIN[annotation]


def _bounds(marks: tuple[Any, ...]) -> str:
    """Limits such as `` ≥ 1, ≤ 4`` from annotated marks, without those that only refuse typing slips."""
    flat = [inner for mark in marks for inner in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    limits = [
        f"{sign} {value:g}" if isinstance(value, float) else f"{sign} {value}"
        for mark in flat
        for name, sign in _SIGNS.items()
        if isinstance(mark, annotated_types.BaseMetadata)
        and (value := getattr(mark, name, None)) is not None
        and value < _NO_LIMIT
    ]
    return f" {', '.join(limits)}" if limits else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{value}`"


def _prose(text: str) -> str:
    """A docstring's text on one line of Markdown."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")
