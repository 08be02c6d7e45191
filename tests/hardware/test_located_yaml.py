"""The strict subset of YAML, and the lines of its values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from archsim.errors import HardwareError
from archsim.hardware.located_yaml import MAX_DEPTH, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("012", 12),  # not octal, as in YAML 1.1
        ("1_000", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),  # a text in YAML 1.1
        ("1e-3", 0.001),
        ("6.0E+2", 600.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1e400", math.inf),
        ("9" * 5000, math.inf),  # int() would raise
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),  # true in YAML 1.1
        ("on", "on"),
        ("1:30", "1:30"),  # 90 in YAML 1.1
        ("2001-12-14", "2001-12-14"),  # a date in YAML 1.1
        ("0x10", "0x10"),
        ("_1", "_1"),
        ("e3", "e3"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("''", ""),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    read = read_yaml(f"key: {text}", "f").data["key"]
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_read_for_the_models_to_refuse() -> None:
    assert math.isnan(read_yaml("key: .NaN", "f").data["key"])


def test_keys_are_taken_as_they_are_written() -> None:
    assert read_yaml("{on: 1, yes: 2, null: 3, true: 4}", "f").data == {
        "on": 1,
        "yes": 2,
        "null": 3,
        "true": 4,
    }


def test_every_value_has_the_line_of_its_key_or_its_own() -> None:
    document = read_yaml("\na:\n  b:\n    - 1\n    - c: 2\nd: {e:\n  3}\n", "f")
    assert document.data == {"a": {"b": [1, {"c": 2}]}, "d": {"e": 3}}
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "b", 0): 4,
        ("a", "b", 1): 5,
        ("a", "b", 1, "c"): 5,
        ("d",): 6,
        ("d", "e"): 6,
    }


def test_of_a_key_given_twice_the_first_value_counts() -> None:
    document = read_yaml("a: {x: 1}\nb: 2\na: {x: 3, y: 4}\n", "f")
    assert document.data == {"a": {"x": 1}, "b": 2}
    assert [str(finding) for finding in document.findings] == ["f:3: a: given twice, first in line 1"]


def test_a_key_that_is_no_word_keeps_to_one_line() -> None:
    document = read_yaml('"a\\nb": {x: 1, x: 2}\nc: 3\n', "f")
    assert document.data == {"c": 3}
    assert [str(finding) for finding in document.findings] == [
        r"f:1: the key 'a\nb' must be a word of letters, digits, _ and -, beginning with a letter",
        r"f:1: 'a\nb'.x: given twice, first in line 1",
    ]


def test_the_depth_limit_is_exact() -> None:
    read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f")
    with pytest.raises(HardwareError, match="nested more than 32 levels deep"):
        read_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "f")


def test_an_empty_text_has_no_lines() -> None:
    document = read_yaml("# nothing\n", "f")
    assert document.data is None
    assert document.lines == {}
