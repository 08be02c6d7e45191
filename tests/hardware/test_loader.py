"""Everything that can be wrong with a hardware YAML, with its exact message."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.errors import HardwareError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.registry import PART_KINDS as REGISTERED

Load = Callable[..., Machine]

SYSTEM_KEYS = "name, clock_ghz, technology_nm, chips, chip_link, sources"
PART_KINDS = ", ".join(sorted({*REGISTERED, "crossbar", "vector"}))
NOT_A_WORD = "must be a word of letters, digits, _ and -, beginning with a letter"
NO_KEY_NAME = "hw.yaml:1: system.name: missing: what reports call the machine"
ZERO = "a deliberate zero is written as 0 with its source"
COST = """\
      cost:
        energy_pj: 1.5
        area_mm2: 0.25
        source: "assumption: a guess"
"""

# in the toy machine: what to replace, by what, and the findings
BROKEN = [
    # numbers
    ("chips: 2", "chips: 0", "hw.yaml:5: system.chips: must be at least 1, not 0"),
    ("chips: 2", "chips: -3", "hw.yaml:5: system.chips: must be at least 1, not -3"),
    ("chips: 2", "chips: 2.0", "hw.yaml:5: system.chips: must be a whole number, not 2.0 (write 2)"),
    ("chips: 2", "chips: 1e3", "hw.yaml:5: system.chips: must be a whole number, not 1000.0 (write 1000)"),
    ("chips: 2", "chips: 2.5", "hw.yaml:5: system.chips: must be a whole number, not 2.5"),
    ("chips: 2", "chips: true", "hw.yaml:5: system.chips: must be a whole number, not true"),
    ("chips: 2", "chips: '2'", "hw.yaml:5: system.chips: must be a whole number, not the text '2'"),
    ("chips: 2", "chips:", "hw.yaml:5: system.chips: must be a whole number, not nothing"),
    ("chips: 2", "chips: [2]", "hw.yaml:5: system.chips: must be a whole number, not a list"),
    ("chips: 2", "chips: {a: 2}", "hw.yaml:5: system.chips: must be a whole number, not a section"),
    ("chips: 2", "chips: 9000000000", "hw.yaml:5: system.chips: must be at most 1000000000, not 9000000000"),
    ("chips: 2", f"chips: {'9' * 5000}", "hw.yaml:5: system.chips: must be a whole number, not inf"),
    (
        "chips: 2",
        f"chips: {'9' * 200}",
        f"hw.yaml:5: system.chips: must be at most 1000000000, not {'9' * 37}...",
    ),
    ("clock_ghz: 2", "clock_ghz: 0", "hw.yaml:3: system.clock_ghz: must be greater than 0, not 0"),
    ("clock_ghz: 2", "clock_ghz: -1.5", "hw.yaml:3: system.clock_ghz: must be greater than 0, not -1.5"),
    ("clock_ghz: 2", "clock_ghz: .nan", "hw.yaml:3: system.clock_ghz: must be a finite number, not nan"),
    ("clock_ghz: 2", "clock_ghz: -.inf", "hw.yaml:3: system.clock_ghz: must be a finite number, not -inf"),
    ("clock_ghz: 2", "clock_ghz: 1e400", "hw.yaml:3: system.clock_ghz: must be a finite number, not inf"),
    (
        "clock_ghz: 2",
        "clock_ghz: 2e12",
        "hw.yaml:3: system.clock_ghz: must be at most 1e+12, not 2000000000000.0",
    ),
    ("clock_ghz: 2", "clock_ghz: fast", "hw.yaml:3: system.clock_ghz: must be a number, not the text 'fast'"),
    ("clock_ghz: 2", "clock_ghz: yes", "hw.yaml:3: system.clock_ghz: must be a number, not the text 'yes'"),
    ("clock_ghz: 2", "clock_ghz: 1:30", "hw.yaml:3: system.clock_ghz: must be a number, not the text '1:30'"),
    (
        "clock_ghz: 2",
        "clock_ghz: 2001-12-14",
        "hw.yaml:3: system.clock_ghz: must be a number, not the text '2001-12-14'",
    ),
    ("clock_ghz: 2", "clock_ghz: ''", "hw.yaml:3: system.clock_ghz: must be a number, not an empty text"),
    ("slc_rate: 0.5", "slc_rate: 1.5", "hw.yaml:37: mapping.slc_rate: must be at most 1, not 1.5"),
    ("columns: 128", "columns: 1", "hw.yaml:22: pu.parts.cells.shape.columns: must be greater than 1, not 1"),
    (
        "columns: 128",
        "columns: 4096",
        "hw.yaml:22: pu.parts.cells.shape.columns: must be less than 4096, not 4096",
    ),
    # texts and choices
    ("name: toy", "name: 3", "hw.yaml:2: system.name: must be a text, not 3"),
    (
        "name: toy",
        "name: ''",
        "hw.yaml:2: system.name: must be a text of 1 or more characters, not an empty text",
    ),
    (
        "score_slots: 4",
        "score_slots: 4\n  svd: hard",
        "hw.yaml:39: mapping.svd: must be 'none' or 'hard_threshold', not 'hard'",
    ),
    (
        "score_slots: 4",
        "score_slots: 4\n  replication: idael",
        "hw.yaml:39: mapping.replication: must be 'none', 'whole' or 'ideal', not 'idael' "
        "(did you mean 'ideal'?)",
    ),
    (
        "score_slots: 4",
        "score_slots: 4\n  in_flight: 0",
        "hw.yaml:39: mapping.in_flight: must be 'auto' or at least 1, not 0",
    ),
    (
        "score_slots: 4",
        "score_slots: 4\n  in_flight: aut",
        "hw.yaml:39: mapping.in_flight: must be 'auto' or a whole number, not 'aut' (did you mean 'auto'?)",
    ),
    (
        "score_slots: 4",
        "score_slots: 4\n  tensor_parallel: 2.0",
        "hw.yaml:39: mapping.tensor_parallel: must be 'auto' or a whole number, not 2.0 (write 2)",
    ),
    (
        "      count: 4",
        "      count: 4\n      gated: 1\n      label: 3\n      weights: [1, a]\n      spare: {rows: 3}",
        "hw.yaml:20: pu.parts.cells.gated: must be true or false, not 1",
        "hw.yaml:21: pu.parts.cells.label: must be a text, not 3",
        "hw.yaml:22: pu.parts.cells.weights.1: must be a whole number, not the text 'a'",
        "hw.yaml:23: pu.parts.cells.spare.columns: missing: bitlines",
    ),
    # keys
    (
        "chips: 2\n",
        "\n",
        "hw.yaml:1: system.chips: missing: chips that the machine may use; "
        "a model takes as many of them as it needs",
    ),
    (
        "chips: 2",
        "chip: 2",
        "hw.yaml:1: system.chips: missing: chips that the machine may use; "
        "a model takes as many of them as it needs",
        f"hw.yaml:5: system.chip: unknown key (did you mean 'chips'?); allowed: {SYSTEM_KEYS}",
    ),
    ("name: toy", "on: toy", NO_KEY_NAME, f"hw.yaml:2: system.on: unknown key; allowed: {SYSTEM_KEYS}"),
    (
        "score_slots: 4",
        "score_slots: 4\n  tensor_paralel: 2",  # a section of many keys does not list them all
        "hw.yaml:39: mapping.tensor_paralel: unknown key (did you mean 'tensor_parallel'?)",
    ),
    ("name: toy", "1: toy", NO_KEY_NAME, f"hw.yaml:2: system: the key '1' {NOT_A_WORD}"),
    ("name: toy", "<<: toy", NO_KEY_NAME, f"hw.yaml:2: system: the key '<<' {NOT_A_WORD}"),
    ("name: toy", "'a b': toy", NO_KEY_NAME, f"hw.yaml:2: system: the key 'a b' {NOT_A_WORD}"),
    ("name: toy", "? [a]\n  : toy", "hw.yaml:2: system: a key must be a word, not a list"),
    ("name: toy", "{a: b}: toy", "hw.yaml:2: system: a key must be a word, not a mapping"),
    ("name: toy", "name: toy\n  name: other", "hw.yaml:3: system.name: given twice, first in line 2"),
    (
        "chip:\n",
        "system: {name: [a], name: b}\nchip:\n",
        "hw.yaml:7: system: given twice, first in line 1",
        "hw.yaml:7: system.name: given twice, first in line 7",
    ),
    # kinds
    (
        "kind: crossbar",
        "kind: crosbar",
        f"hw.yaml:18: pu.parts.cells.kind: must be a kind of part, one of: {PART_KINDS}, not 'crosbar' "
        "(did you mean 'crossbar'?)",
    ),
    (
        "kind: crossbar",
        "kind: 3",
        f"hw.yaml:18: pu.parts.cells.kind: must be a kind of part, one of: {PART_KINDS}, not 3",
    ),
    (
        "kind: crossbar\n",
        "\n",
        f"hw.yaml:17: pu.parts.cells.kind: missing: the kind of part, one of: {PART_KINDS}",
    ),
    (
        "{kind: wire, gb: 10}",
        "{kind: wires, gb: 10}",
        "hw.yaml:6: system.chip_link.kind: must be a kind of medium, one of: bus, link, wire, not 'wires' "
        "(did you mean 'wire'?)",
    ),
    ("{kind: wire, gb: 10}", "fast", "hw.yaml:6: system.chip_link: must be a section, not the text 'fast'"),
    # costs and sources
    (COST, "", f"hw.yaml:17: pu.parts.cells.cost: missing: of one crossbar; {ZERO}"),
    (
        "        area_mm2: 0.25\n",
        "",
        "hw.yaml:23: pu.parts.cells.cost.area_mm2: missing: "
        f"area of all instances that the row counts, in mm2; {ZERO}",
    ),
    (
        "        energy_pj: 1.5\n",
        "",
        "hw.yaml:23: pu.parts.cells.cost: give one of energy_pj and active_power_mw, not neither",
    ),
    (
        "energy_pj: 1.5\n",
        "energy_pj: 1.5\n        active_power_mw: 1\n",
        "hw.yaml:23: pu.parts.cells.cost: give one of energy_pj and active_power_mw, not both",
    ),
    (
        "energy_pj: 1.5",
        "energy_pj: -1",
        "hw.yaml:24: pu.parts.cells.cost.energy_pj: must be at least 0, not -1",
    ),
    (
        '        source: "assumption: a guess"\n',
        "",
        "hw.yaml:23: pu.parts.cells.cost.source: missing: a citation, 'derived: ...' or 'assumption: ...'",
    ),
    (
        '"assumption: a guess"',
        "me",
        "hw.yaml:26: pu.parts.cells.cost.source: must be a text of 3 or more characters, not the text 'me'",
    ),
    (
        "sources: {gb:",
        "sources: {gbs:",
        "hw.yaml:12: pu.bus: sources names 'gbs', which is not a field of this section",
    ),
    # sections that contradict themselves or each other
    (
        "columns: 128",
        "columns: 32",
        "hw.yaml:20: pu.parts.cells.shape: columns (32) must not be below rows (64)",
    ),
    (
        "linear: cells",
        "linear: cels",
        "hw.yaml:33: mapping.linear: must name a part of pu.parts, one of: cells, vector, not 'cels' "
        "(did you mean 'cells'?)",
    ),
    (
        "linear: cells",
        "linear: vector",
        "hw.yaml:37: mapping.slc_rate: contradicts mapping.linear: the part 'vector' (vector) has no SLC "
        "mode; leave it out",
    ),
    (
        "inside: cells",
        "inside: cels",
        "hw.yaml:30: pu.parts.vector.inside: must name a part of pu.parts, one of: cells, vector, not 'cels' "
        "(did you mean 'cells'?)",
    ),
    (
        "inside: cells",
        "inside: vector",
        "hw.yaml:30: pu.parts.vector.inside: a part cannot stand inside itself: vector inside vector",
    ),
    (
        "      count: 4",
        "      count: 4\n      inside: vector",
        "hw.yaml:20: pu.parts.cells.inside: a part cannot stand inside itself: "
        "cells inside vector inside cells",
    ),
    (
        "    vector:\n",
        "    bus:\n",
        "hw.yaml:27: pu.parts.bus: 'bus' has a meaning of its own in reports: choose another name",
        "hw.yaml:35: mapping.nonlinear: must name a part of pu.parts, one of: cells, bus, not 'vector'",
    ),
    # what YAML has and a hardware description has not
    (
        "name: toy",
        "name: &x toy",
        "hw.yaml:2: system: anchors and aliases (&x) are not supported: repeat the value",
    ),
    (
        "name: toy",
        "name: *x",
        "hw.yaml:2: system: anchors and aliases (*x) are not supported: repeat the value",
    ),
    (
        "name: toy",
        "name: !!python/object/apply:os.system [x]",
        "hw.yaml:2: system: tags (!!python/object/apply:os.system) are not supported: write the plain value",
    ),
    (
        "mapping:\n",
        "---\nmapping:\n",
        "hw.yaml:32: a second document begins here; a file describes one machine",
    ),
    # not YAML
    (
        "chip:\n",
        "chip: [\n",
        "hw.yaml:9: not YAML: while parsing a flow sequence, did not find expected ',' or ']'",
    ),
    ("pus: 3", "pus: 3: 4", "hw.yaml:8: not YAML: mapping values are not allowed in this context"),
    (
        "  pus: 3",
        "\tpus: 3",
        "hw.yaml:8: not YAML: while scanning for the next token, found character that cannot start any token",
    ),
    (
        "pus: 3",
        "pus: 'x",
        "hw.yaml:38: not YAML: while scanning a quoted scalar, found unexpected end of stream",
    ),
    ("pus: 3", "pus: \0", "hw.yaml:8: not a text: it has the character U+0000"),
    # all at once, in the order of the file
    (
        "chips: 2\n",
        "chips: 0\n  chips: 1\n  x: 1\n  1: 1\n",
        "hw.yaml:5: system.chips: must be at least 1, not 0",
        "hw.yaml:6: system.chips: given twice, first in line 5",
        f"hw.yaml:7: system.x: unknown key; allowed: {SYSTEM_KEYS}",
        f"hw.yaml:8: system: the key '1' {NOT_A_WORD}",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "findings"),
    [(old, new, findings) for old, new, *findings in BROKEN],
    ids=[f"{number}: {new[:30]!r}" for number, (_, new, *_) in enumerate(BROKEN)],
)
def test_a_broken_value_is_refused(load: Load, toy: str, old: str, new: str, findings: list[str]) -> None:
    assert old in toy
    with pytest.raises(HardwareError) as caught:
        load(toy.replace(old, new, 1))
    assert str(caught.value).splitlines() == findings


EMPTY = "hw.yaml: the file is empty; a hardware YAML has the sections system, chip, pu and mapping"
ROOT = "must have the sections system, chip, pu and mapping"
WITHOUT_SECTIONS = [
    "hw.yaml:1: system: missing: the chips, and what they have in common",
    "hw.yaml:1: chip: missing: one chip: its PUs and what connects them",
    "hw.yaml:1: pu: missing: one processing unit: a bus and the parts on it",
    "hw.yaml:1: mapping: missing: how a workload uses the machine",
]
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


@pytest.mark.parametrize(
    ("content", "findings"),
    [
        ("", [EMPTY]),
        ("# only a comment\n", [EMPTY]),
        ("null", [EMPTY]),
        ("hello", [f"hw.yaml:1: {ROOT}, not 'hello'"]),
        ("\n\n3", [f"hw.yaml:3: {ROOT}, not '3'"]),
        ("- a\n- b", [f"hw.yaml:1: {ROOT}, not a list"]),
        ("{}", WITHOUT_SECTIONS),
        (
            "system:\nchip: 3\npu: {bus: {}, parts: {}}\nmapping: []",
            [
                "hw.yaml:1: system: must be a section, not nothing",
                "hw.yaml:2: chip: must be a section, not 3",
                "hw.yaml:3: pu.bus.kind: missing: the kind of medium, one of: bus, link, wire",
                "hw.yaml:3: pu.parts: must be 1 or more entries, not an empty section",
                "hw.yaml:4: mapping: must be a section, not an empty list",
            ],
        ),
        (BOMB, ["hw.yaml:1: anchors and aliases (&a) are not supported: repeat the value"]),
        ("--- a\n--- b", ["hw.yaml:2: a second document begins here; a file describes one machine"]),
        ("[" * 100_000, ["hw.yaml:1: nested more than 32 levels deep"]),
        ("{a: " * 100_000, ["hw.yaml:1: nested more than 32 levels deep"]),
        ("- " * 100_000, ["hw.yaml:1: nested more than 32 levels deep"]),
        (b"a\n\xff\xfe", ["hw.yaml:2: not a text: it has the byte 0xFF, which is not UTF-8"]),
        (b"\x7fELF\x02\x01", ["hw.yaml:1: not a text: it has the character U+007F"]),
        ("x" * 1_000_001, ["hw.yaml: longer than 1000000 bytes: this is not the description of a machine"]),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_file_that_describes_no_machine_is_refused(
    load: Load, content: str | bytes, findings: list[str]
) -> None:
    with pytest.raises(HardwareError) as caught:
        load(content)
    assert str(caught.value).splitlines() == findings


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("hw.yml", "hw.yml: no such file (did you mean 'hw.yaml'?)"),
        ("elsewhere/hw.yaml", "elsewhere/hw.yaml: no such file"),
        (".", ".: cannot be read: is a directory"),
        ("hw.yaml/x", "hw.yaml/x: cannot be read: not a directory"),
        ("a\0b", "a\0b: cannot be read: embedded null byte"),
        ("x" * 300, "x" * 300 + ": cannot be read: file name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(load: Load, toy: str, file: str, message: str) -> None:
    load(toy)
    with pytest.raises(HardwareError) as caught:
        load_hardware(file)
    assert str(caught.value) == message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(load: Load, toy: str) -> None:
    load(toy)
    Path("hw.yaml").chmod(0)
    with pytest.raises(HardwareError, match=r"^hw\.yaml: cannot be read: permission denied$"):
        load_hardware("hw.yaml")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(load: Load, toy: str) -> None:
    assert load("\ufeff" + toy.replace("\n", "\r\n")).name == "toy"


def loads_or_is_refused(load: Load, content: str | bytes) -> None:
    """No exception but HardwareError, whose message is one line a finding."""
    try:
        load(content)
    except HardwareError as error:
        assert len(str(error).splitlines()) == len(error.findings)


ANYTHING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)


@ANYTHING
@given(content=st.binary(max_size=200))
def test_garbage_bytes_are_refused(load: Load, content: bytes) -> None:
    with pytest.raises(HardwareError):
        load(content)


@ANYTHING
@given(content=st.text(alphabet="ab:{}[]-?,&*!|>'\"#%@ \n\t19.~<=_e", max_size=80))
def test_garbage_that_looks_like_yaml_is_refused(load: Load, content: str) -> None:
    with pytest.raises(HardwareError):
        load(content)


@ANYTHING
@given(data=st.data())
def test_a_damaged_file_loads_or_is_refused(load: Load, toy: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(toy)))
    end = data.draw(st.integers(begin, min(len(toy), begin + 20)))
    loads_or_is_refused(load, toy[:begin] + data.draw(st.text(max_size=8)) + toy[end:])


def test_a_preset_with_any_value_exchanged_loads_or_is_refused(load: Load, root: Path) -> None:
    lines = (root / "hwconfigs" / "hyflexpim.yaml").read_text(encoding="utf-8").splitlines()
    values = ["0", "-1", "3", "0.5", "1e9", "1e12", ".nan", "abc", "[]", "{}", "null", "true", "[1, {a: b}]"]
    rng = random.Random(0)
    for number, line in enumerate(lines):
        key, colon, _ = line.partition(": ")
        if colon and not line.lstrip().startswith("#"):
            changed = f"{key}: {rng.choice(values)}"
            loads_or_is_refused(load, "\n".join([*lines[:number], changed, *lines[number + 1 :]]))
