"""Values that replace those of the file: ``--set PATH=VALUE``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.errors import Finding, HardwareError, did_you_mean
from archsim.hardware.kinds import Entries, field_names, look_up
from archsim.hardware.located_yaml import Path, dotted, read_yaml
from archsim.hardware.machine import HardwareModel


@dataclass(frozen=True, slots=True)
class Override:
    """One value to set.

    Args: label: how findings about the value name it, in the place of file and line.
    """

    path: Path
    value: Any
    label: str


def read_overrides(given: Sequence[str] | Mapping[str, Any]) -> tuple[list[Override], list[Finding]]:
    """The overrides, and what is wrong with those that cannot be read.

    Args: given: texts ``PATH=VALUE``, their values written as in YAML; or values by path.
    """
    if isinstance(given, Mapping):
        plain = {
            path: value.item() if isinstance(value, np.generic) else value for path, value in given.items()
        }
        return [_override(path, value, f"{path}={value}") for path, value in plain.items()], []
    overrides: list[Override] = []
    findings: list[Finding] = []
    for text in [given] if isinstance(given, str) else given:
        path, equals, value = text.partition("=")
        override = _override(path.strip(), None, text)
        if not equals or not path.strip():
            findings.append(Finding("must be PATH=VALUE, such as chip.pus=12", override.label))
            continue
        try:
            overrides.append(Override(override.path, _read_value(value, override.label), override.label))
        except HardwareError as error:
            findings += error.findings
    return overrides, findings


def override_values(given: Sequence[str]) -> dict[str, Any]:
    """The values by path of texts ``PATH=VALUE``; of a path that is given twice, the last.

    Raises: HardwareError: with all that cannot be read.
    """
    overrides, findings = read_overrides(given)
    if findings:
        raise HardwareError(findings)
    return {dotted(override.path): override.value for override in overrides}


def apply_override(data: dict[str, Any], override: Override) -> Finding | None:
    """Set one value in ``data``, a YAML document; returns what is wrong with the path, if anything.

    The mappings on the way to the value are replaced, so that others who have them see no change.
    """
    node: Any = data
    for depth, step in enumerate(override.path):
        key = str(step)
        where = override.path[:depth]
        if not isinstance(node, dict):
            return Finding(f"{dotted(where)} is a plain value: it has no keys", override.label)
        if key not in node and (problem := _unknown_key(data, where, node, key)):
            return Finding(problem, override.label)
        if depth == len(override.path) - 1:
            node[key] = override.value
        else:
            inner = node.get(key, {})
            node[key] = dict(inner) if isinstance(inner, dict) else inner
            node = node[key]
    return None


def _override(path: str, value: Any, text: str) -> Override:
    label = f"--set {text if text.isprintable() else ascii(text)}"
    return Override(tuple(path.split(".")), value, label)


def _read_value(text: str, label: str) -> Any:
    try:
        document = read_yaml(text, label)
    except HardwareError as error:
        raise HardwareError(Finding(found.message, label) for found in error.findings) from None
    if isinstance(document.data, dict):
        raise HardwareError(Finding("VALUE must be a number, a word or a list, not a mapping", label))
    if not document.lines:
        raise HardwareError(Finding("no VALUE after the '='; nothing at all is written as null", label))
    return document.data


def _unknown_key(data: dict[str, Any], where: Path, node: dict[str, Any], key: str) -> str:
    """'' where ``key`` may be added to ``node``, which is at the path ``where``; else the reason why not."""
    what = look_up(HardwareModel, data, where)
    if what is None or (isinstance(what, Entries) and not what.of_sections):
        return ""
    allowed = list(node) if isinstance(what, Entries) else field_names(what)
    if key in allowed:
        return ""
    of = f" of {dotted(where)}" if where else ""
    return f"unknown key {key!r}{of}{did_you_mean(key, allowed)}; allowed: {', '.join(allowed)}"
