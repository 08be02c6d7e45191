"""Spaces in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.errors import SpaceError
from archsim.explore.space_file import read_space_file


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "space.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_sections_as_in_the_hardware(tmp_path: Path) -> None:
    text = """
mapping:
  slc_rate: 0:0.2:0.1
  replication: [whole, ideal]
pu: {parts: {analog: {count: 24}}}
linked:
  - chip: {pus: [12, 24]}
    system: {chips: "2,1"}
"""
    space = read_space_file(write(tmp_path, text))
    assert [[(axis.path, axis.values) for axis in factor] for factor in space.factors] == [
        [("mapping.slc_rate", (0.0, 0.1, 0.2))],
        [("mapping.replication", ("whole", "ideal"))],
        [("pu.parts.analog.count", (24,))],
        [("chip.pus", (12, 24)), ("system.chips", (2, 1))],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", ": must have sections as a hardware YAML has them, with lists of values"),
        ("a: {b: []}\n", ":1: a.b: lists no value; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
        ("a:\n  b: 0:1:0\n  c: [1, 1]\n", ":2: a.b: the step of 0:1:0 is zero\nFILE:3: a.c: lists 1 twice"),
        ("a: 1\na: 2\n", ":2: a: given twice, first in line 1"),
        ("linked: 3\n", ":1: linked: must be a list of sections whose axes go together"),
        (
            "linked:\n  - {a: [1, 2], b: [1, 2, 3]}\n",
            ":2: linked: axes that go together need as many values each: a has 2, b has 3",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SpaceError) as error:
        read_space_file(file)
    assert str(error.value) == f"{file}{message.replace('FILE', str(file))}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"none\.yaml: no such file"):
        read_space_file(tmp_path / "none.yaml")
