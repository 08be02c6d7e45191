"""The published figures of a paper, from a data file that is checked as strictly as a hardware YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archsim.errors import ArchsimError, Finding, did_you_mean
from archsim.hardware.located_yaml import LocatedYaml, Path, dotted, read_yaml

_Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Figure(_Strict):
    """One figure of a paper, or a quantity of which the paper says nothing."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")]
    """Its name; what stands before the first point is the group that it belongs to."""
    what: _Text
    """What it is, for people."""
    published: float | None = None
    """Its value; left out where the paper gives none."""
    unit: str
    """Of both values."""
    bound: str = ""
    """``most`` where the paper gives the largest of several."""
    place: _Text
    """Where it stands in the paper; ``derived: ...`` for arithmetic on what is printed."""
    why: str = ""
    """Why simulation and paper differ; ``{name:.2f}`` stands for a number that was measured."""


class Published(_Strict):
    """The figures of one paper."""

    paper: _Text
    """Its title."""
    figures: Annotated[tuple[Figure, ...], Field(min_length=1, strict=False)]
    """In the order in which they are shown."""


@cache
def load_published(paper: str) -> Published:
    """The figures of a paper, from the package's data file.

    Raises: ArchsimError: for everything that is wrong with the file.
    """
    file = files("archsim.reproduce") / "published" / f"{paper}.yaml"
    return read_published(file.read_text(encoding="utf-8"), f"{paper}.yaml")


def published_value(paper: str, figure: str) -> float:
    """What a paper gives for a figure."""
    (value,) = (each.published for each in load_published(paper).figures if each.id == figure)
    assert value is not None, f"{paper} gives no {figure}"
    return value


def read_published(text: str, file: str) -> Published:
    """The figures in a text.

    Raises: ArchsimError: with everything that is wrong with it, each with its line.
    """
    document = read_yaml(text, file)
    findings = list(document.findings)
    published = None
    try:
        published = Published.model_validate(document.data)
    except ValidationError as error:
        findings += [
            Finding(message, file, _line(document, path), dotted(path)) for path, message in _explain(error)
        ]
    else:
        findings += _repeated(published, document, file)
    if published is None or findings:
        raise ArchsimError(findings)
    return published


def fill(text: str, numbers: Mapping[str, float]) -> str:
    """A text with ``{name:format}`` replaced by measured numbers.

    Raises: ArchsimError: for a name that was not measured.
    """

    def number(found: re.Match[str]) -> str:
        if found[1] not in numbers:
            raise ArchsimError(f"no run gives {found[1]!r}{did_you_mean(found[1], numbers)}")
        return format(numbers[found[1]], found[2] or "")

    return re.sub(r"\{([\w.]+)(?::([^}]*))?\}", number, text)


def _explain(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Where the data is wrong, and how; a list is not wrong because its entries are."""
    errors = error.errors(include_url=False)
    inside = {details["loc"][:depth] for details in errors for depth in range(len(details["loc"]))}
    for details in errors:
        path = details["loc"]
        if path in inside:
            continue
        if details["type"] == "extra_forbidden":
            model = Figure if len(path) > 1 else Published
            allowed = list(model.model_fields)
            hint = did_you_mean(str(path[-1]), allowed)
            yield path, f"unknown key{hint}; allowed: {', '.join(allowed)}"
        elif details["type"] == "missing":
            yield path, "missing"
        elif details["type"] == "string_pattern_mismatch":
            yield path, f"must be a group and a name, such as energy.sprint, not {details['input']!r}"
        else:
            _, _, expected = details["msg"].partition(" should ")
            yield path, f"must {expected}, not {details['input']!r}"


def _repeated(published: Published, document: LocatedYaml, file: str) -> Iterator[Finding]:
    """Figures whose id another one has."""
    seen: dict[str, int] = {}
    for number, figure in enumerate(published.figures):
        first = seen.setdefault(figure.id, number)
        if first != number:
            line = _line(document, ("figures", first))
            what = f"{figure.id!r} is there already, in line {line}"
            yield Finding(what, file, _line(document, ("figures", number)), f"figures.{number}.id")


def _line(document: LocatedYaml, path: Path) -> int | None:
    depth = next((depth for depth in range(len(path), -1, -1) if path[:depth] in document.lines), 0)
    return document.lines.get(path[:depth])
