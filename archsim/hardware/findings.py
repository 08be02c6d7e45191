"""What pydantic has to say about a hardware YAML, in the words of a person who wrote one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from archsim.cost.entry import Cost, Section
from archsim.errors import did_you_mean
from archsim.hardware.kinds import field_annotation, field_names, look_up, what_stands_at
from archsim.hardware.located_yaml import Path, shorten
from archsim.hardware.meaning import meanings

FEW = 8
"""As many allowed keys are listed even where the nearest one is named."""

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text of {min_length} or more characters",
    "too_short": "{min_length} or more entries",
    "dict_type": "a section",
    "model_type": "a section",
    "list_type": "a list",
    "tuple_type": "a list",
    "finite_number": "a finite number",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
}
"""What must stand in a value's place, by the type of pydantic's error."""


def explain(error: ValidationError, root: type[Section], data: Any) -> list[tuple[Path, str]]:
    """Where ``data`` is wrong and how, one message a path.

    Args: root: the class that ``data`` was validated as.
    """
    by_path: dict[Path, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        by_path.setdefault(_real_path(details, data), []).append(details)
    return [(path, _message(path, errors, root, data)) for path, errors in by_path.items()]


def _real_path(details: ErrorDetails, data: Any) -> Path:
    """The error's path in the file, without the names that pydantic gives to the choices of a union."""
    path: list[str | int] = []
    for step in details["loc"]:
        known = step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)
        absent = details["type"] in ("missing", "bad_kind") and step == details["loc"][-1]
        if known:
            data = data[step]
        elif not absent:
            continue
        path.append(step)
    return tuple(path)


def _message(path: Path, errors: Sequence[ErrorDetails], root: type[Section], data: Any) -> str:
    """One sentence for all errors at a path: several where a value may be one of several things."""
    first = errors[0]
    if first["type"] == "missing":
        return _missing(path, root, data)
    if first["type"] == "extra_forbidden":
        return _unknown_key(path, root, data)
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    expected = [_expected(details) for details in errors]
    if None in expected:
        return first["msg"]
    return f"must be {' or '.join(map(str, expected))}, not {_given(errors)}"


def _expected(details: ErrorDetails) -> str | None:
    """What must stand there instead, or None for an error that says it all itself."""
    template = _EXPECTED.get(details["type"])
    return template and template.format(
        **{key: _number(value) for key, value in details.get("ctx", {}).items()}
    )


def _number(value: Any) -> Any:
    """A bound without the noise of its type: 0 for 0.0."""
    return f"{value:g}" if isinstance(value, float) else value


def _given(errors: Sequence[ErrorDetails]) -> str:
    """The value that was given, with a hint at what was perhaps meant."""
    value = errors[0]["input"]
    words = [word for details in errors for word in _words(details)]
    if isinstance(value, str):
        if words:
            return shorten(value) + did_you_mean(value, words)
        return f"the text {shorten(value)}" if value else "an empty text"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        kind = "section" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    shown = shorten(str(value))[1:-1]
    whole = any(details["type"] in ("int_type", "int_from_float") for details in errors)
    if whole and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{shown} (write {int(value)})"
    return shown


def _words(details: ErrorDetails) -> list[str]:
    """The words that an error allows."""
    if details["type"] != "literal_error":
        return []
    return re.findall(r"'([^']*)'", details["ctx"]["expected"])


def _missing(path: Path, root: type[Section], data: Any) -> str:
    """What is missing, in the words of the field's description."""
    section = look_up(root, data, path[:-1])
    assert isinstance(section, type)
    field = section.model_fields[str(path[-1])]
    meaning = " ".join(meanings(section).get(str(path[-1]), "").split()).rstrip(".").replace("``", "'")
    if not meaning[1:2].isupper():
        meaning = meaning[:1].lower() + meaning[1:]
    what = what_stands_at(field_annotation(field), None)
    costs = section if path[-1] != "source" else None
    for candidate in (what, costs):
        if isinstance(candidate, type) and issubclass(candidate, Cost):
            return f"missing: {meaning}; a deliberate zero is written as 0 with its source"
    return f"missing: {meaning}"


def _unknown_key(path: Path, root: type[Section], data: Any) -> str:
    """The nearest key that the section has, or all of them."""
    section = look_up(root, data, path[:-1])
    assert isinstance(section, type)
    allowed = field_names(section)
    hint = did_you_mean(str(path[-1]), allowed)
    listed = f"; allowed: {', '.join(allowed)}" if not hint or len(allowed) <= FEW else ""
    return f"unknown key{hint}{listed}"
