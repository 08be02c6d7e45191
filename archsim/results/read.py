"""Reads a ``result.json`` back: whole, of this version's schema, and finite, or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from archsim.errors import Finding, ResultError
from archsim.results.record import SCHEMA, Result

RESULT_FILE = "result.json"

_NUMBERS = (
    *("hardware.clock_ghz", "workload.layers", "workload.batch", "workload.prefill_tokens"),
    *("workload.decode_steps", "workload.context", "latency_ns.first_inference", "latency_ns.total"),
    *("throughput.inferences_per_s", "throughput.tokens_per_s", "throughput.ops_per_s"),
    *("throughput.interval_ns", "energy_pj.per_inference", "energy_pj.static", "area_mm2.total"),
    *("efficiency.tops", "efficiency.peak_tops", "efficiency.tops_per_w", "efficiency.tops_per_mm2"),
    *("power_w.average", "power_w.peak", "critical_path.cycles", "critical_path.compute_cycles"),
    *("critical_path.transfer_cycles", "critical_path.waiting_cycles"),
)
_TABLES = (
    *("energy_pj.by_component", "energy_pj.by_operation", "energy_pj.by_layer", "area_mm2.by_component"),
    *("utilisation", "traffic_bytes", "critical_path.by_class", "critical_path.by_operation"),
    "critical_path.by_layer",
)
_NAMES = ("hardware.name", "workload.model")


def read_result(path: str | Path) -> Result:
    """The result in a ``result.json``, or in a directory that ``archsim simulate --out`` wrote.

    Raises: ResultError: when it is not there, is none, or is of another schema; says which.
    """
    file = Path(path)
    if file.is_dir():
        file = file / RESULT_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ResultError(Finding("is not text: a result.json is wanted", str(file))) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ResultError(Finding(f"cannot be read: {reason}", str(file))) from error
    return parse_result(text, str(file))


def parse_result(text: str, file: str = "") -> Result:
    """The result that a JSON text holds, as ``Result.to_json`` writes it.

    Args: file: for messages.
    Raises: ResultError: with all that is wrong.
    """
    content = _content(text, file)
    if not isinstance(content, dict) or "schema" not in content:
        what = (
            f"is not a result: its JSON has no 'schema'; archsim simulate --out DIR writes DIR/{RESULT_FILE}"
        )
        raise ResultError(Finding(what, file))
    if content["schema"] != SCHEMA:
        what = (
            f"is a result of schema {content['schema']!r}, and this archsim reads {SCHEMA!r}; "
            "simulate again to have it in this one"
        )
        raise ResultError(Finding(what, file))
    if findings := list(_wrong(content, file)):
        raise ResultError(findings)
    values = {name: content[name] for name in Result.__slots__}
    return Result(**values | {name: tuple(values[name]) for name in ("warnings", "assumptions")})


def _content(text: str, file: str) -> Any:
    def refuse(word: str) -> NoReturn:
        raise ResultError(Finding(f"holds {word}, and a result has finite numbers only", file))

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ResultError(Finding(f"is not JSON: {error.msg.lower()}", file, error.lineno)) from error
    except (RecursionError, ValueError) as error:
        raise ResultError(
            Finding("is not a result: its JSON is nested too deep or has absurd numbers", file)
        ) from error


def _wrong(content: dict[str, Any], file: str) -> Iterator[Finding]:
    """What a record lacks, has too much, or has of another type."""
    for name in Result.__slots__:
        allowed = list if name in ("warnings", "assumptions") else dict
        if name not in content:
            yield Finding("is missing: the file was cut or changed", file, path=name)
        elif not isinstance(content[name], allowed):
            yield Finding(f"must be {'a list' if allowed is list else 'a table'}", file, path=name)
    for name in content:
        if name not in Result.__slots__ and name != "schema":
            yield Finding("is no key of a result: the file was changed", file, path=name)
    for path, wanted, fits in (
        *((path, "a number", _is_number) for path in _NUMBERS),
        *((path, "a table of numbers", _is_table) for path in _TABLES),
        ("utilisation_by_layer", "a table of tables of numbers", _is_nested),
        *((path, "a text", _is_text) for path in _NAMES),
    ):
        section, _, key = path.partition(".")
        if isinstance(content.get(section), dict) and not fits(_at(content, section, key)):
            yield Finding(f"must be {wanted}", file, path=path)


def _at(content: dict[str, Any], section: str, key: str) -> Any:
    return content[section].get(key) if key else content[section]


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_table, value.values()))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
