"""Reading a ``result.json`` back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsim.errors import ResultError
from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.results.read import parse_result, read_result
from archsim.results.record import SCHEMA
from archsim.workload.trace import read_trace

NO_RESULT = (
    "r.json: is not a result: its JSON has no 'schema'; archsim simulate --out DIR writes DIR/result.json"
)
MACHINES = Path(__file__).parents[1] / "machines"


@pytest.fixture(scope="module")
def text() -> str:
    machine = load_hardware(MACHINES / "small.yaml")
    return simulate(machine, read_trace(MACHINES / "decode.trace"), stream=False).to_json()


def test_reading_gives_the_result_back(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    for place in (tmp_path, tmp_path / "result.json"):
        assert read_result(place).to_json() == text


def test_a_result_of_another_schema(text: str) -> None:
    old = text.replace(SCHEMA, "archsim-result 0")
    with pytest.raises(ResultError) as caught:
        parse_result(old, "old.json")
    assert str(caught.value) == (
        f"old.json: is a result of schema 'archsim-result 0', and this archsim reads {SCHEMA!r}; "
        "simulate again to have it in this one"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "r.json:1: is not JSON: expecting value"),
        ('{"schema": 1,\n "a"}', "r.json:2: is not JSON: expecting ':' delimiter"),
        ('{"schema": NaN}', "r.json: holds NaN, and a result has finite numbers only"),
        ("[" * 100_000, "r.json: is not a result: its JSON is nested too deep or has absurd numbers"),
        ("[1]", NO_RESULT),
        ('{"traceEvents": []}', NO_RESULT),
    ],
)
def test_what_is_no_result(content: str, message: str) -> None:
    with pytest.raises(ResultError) as caught:
        parse_result(content, "r.json")
    assert str(caught.value) == message


def drop(content: dict[str, Any]) -> None:
    del content["energy_pj"], content["warnings"]


def add(content: dict[str, Any]) -> None:
    content["colour"] = "blue"


def retype(content: dict[str, Any]) -> None:
    content["area_mm2"] = 5
    content["warnings"] = {}


def spoil(content: dict[str, Any]) -> None:
    content["energy_pj"]["by_component"]["analog.adc"] = "much"
    content["throughput"]["tokens_per_s"] = True
    content["utilisation_by_layer"]["l0"] = 0.5
    content["hardware"]["name"] = None
    content["latency_ns"]["total"] = 1e999


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (
            drop,
            [
                "r.json: energy_pj: is missing: the file was cut or changed",
                "r.json: warnings: is missing: the file was cut or changed",
            ],
        ),
        (add, ["r.json: colour: is no key of a result: the file was changed"]),
        (retype, ["r.json: area_mm2: must be a table", "r.json: warnings: must be a list"]),
        (
            spoil,
            [
                "r.json: latency_ns.total: must be a number",
                "r.json: throughput.tokens_per_s: must be a number",
                "r.json: energy_pj.by_component: must be a table of numbers",
                "r.json: utilisation_by_layer: must be a table of tables of numbers",
                "r.json: hardware.name: must be a text",
            ],
        ),
    ],
)
def test_all_that_was_changed_is_told(
    change: Callable[[dict[str, Any]], None], messages: list[str], text: str
) -> None:
    content = json.loads(text)
    change(content)
    # an infinite number is written as a person might: too large for a float
    with pytest.raises(ResultError) as caught:
        parse_result(json.dumps(content).replace("Infinity", "1e999"), "r.json")
    assert str(caught.value).splitlines() == messages


@pytest.mark.parametrize("kind", ["missing", "bytes"])
def test_files_that_cannot_be_read(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    if kind == "bytes":
        file.write_bytes(b"\x89PNG\xff")
    with pytest.raises(ResultError) as caught:
        read_result(file)
    reason = (
        "is not text: a result.json is wanted"
        if kind == "bytes"
        else "cannot be read: no such file or directory"
    )
    assert str(caught.value) == f"{file}: {reason}"
