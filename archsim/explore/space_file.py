"""A space in a YAML file: the sections of a hardware YAML, with lists and ranges in the place of values.

Below ``linked`` stand spaces whose axes go together: the first values of all of them, then the second ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from archsim.errors import Finding, HardwareError, SpaceError
from archsim.explore.space import Axis, Space
from archsim.explore.values import check_values, parse_values
from archsim.hardware.loader import read_text
from archsim.hardware.located_yaml import LocatedYaml, Path, dotted, read_yaml

LINKED = "linked"


def read_space_file(path: str | os.PathLike[str]) -> Space:
    """The space of a file.

    Raises: SpaceError: with everything that is wrong with it, each with its line.
    """
    file = os.fspath(path)
    try:
        document = read_yaml(read_text(file), file)
    except HardwareError as error:
        raise SpaceError(error.findings) from None
    findings = list(document.findings)
    if not isinstance(document.data, dict):
        what = "must have sections as a hardware YAML has them, with lists of values"
        raise SpaceError([*findings, Finding(what, file)])
    reader = _Reader(file, document, findings)
    alone = {name: value for name, value in document.data.items() if name != LINKED}
    factors: list[tuple[Axis, ...]] = [(axis,) for axis in reader.axes(alone, (), ())]
    factors += list(reader.linked(document.data.get(LINKED, [])))
    if findings:
        raise SpaceError(findings)
    return Space(tuple(factor for factor in factors if factor))


class _Reader:
    """Turns the sections of one file into axes, and collects what is wrong with them."""

    def __init__(self, file: str, document: LocatedYaml, findings: list[Finding]) -> None:
        self.file = file
        self.lines = document.lines
        self.findings = findings

    def axes(self, section: dict[str, Any], at: Path, below: Path) -> Iterator[Axis]:
        """The axes of a section.

        Args: at: where it stands in the file; below: the part of that which is no path of the machine.
        """
        for name, value in section.items():
            place = (*at, name)
            if isinstance(value, dict):
                yield from self.axes(value, place, below)
                continue
            try:
                yield Axis(
                    dotted(place[len(below) :]), self._values(value, place), self.file, self._line(place)
                )
            except SpaceError as error:
                self.findings += error.findings

    def linked(self, groups: Any) -> Iterator[tuple[Axis, ...]]:
        """The axes that go together, one group after the other."""
        if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
            what = "must be a list of sections whose axes go together"
            self.findings.append(Finding(what, self.file, self._line((LINKED,)), LINKED))
            return
        for number, group in enumerate(groups):
            place = (LINKED, number)
            factor = tuple(self.axes(group, place, place))
            lengths = {axis.path: len(axis.values) for axis in factor}
            if len(set(lengths.values())) > 1:
                counted = ", ".join(f"{path} has {length}" for path, length in lengths.items())
                what = f"axes that go together need as many values each: {counted}"
                self.findings.append(Finding(what, self.file, self._line(place), LINKED))
            yield factor

    def _values(self, value: Any, place: Path) -> tuple[Any, ...]:
        """The values of one axis: a list, a text that lists them, or one value."""
        try:
            if isinstance(value, str):
                return parse_values(value, self.file)
            values = value if isinstance(value, list) else [value]
            check_values(values, self.file)
            return tuple(values)
        except SpaceError as error:
            line = self._line(place)
            raise SpaceError(
                Finding(found.message, self.file, line, dotted(place)) for found in error.findings
            ) from None

    def _line(self, place: Path) -> int:
        return self.lines[place]
