"""Rules between the sections of a hardware YAML, which no section can check by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archsim.errors import did_you_mean
from archsim.hardware.located_yaml import Path, shorten
from archsim.hardware.machine import ROLES, Machine

TAKEN = ("bus", "interconnect", "global_bus", "chip_link", "static")
"""Names that reports use for the machine's media and for its idle power."""

Broken = Iterator[tuple[Path, str]]
"""The paths at which rules are broken, each with its message."""


def broken_names(data: dict[str, Any]) -> Broken:
    """Names of parts that do not exist, are taken, or stand inside themselves; ``data`` may be invalid."""
    parts = _mapping(_mapping(data, "pu"), "parts")
    for name in parts:
        if name in TAKEN:
            yield ("pu", "parts", name), f"{name!r} has a meaning of its own in reports: choose another name"
    for name in parts:
        inside = _mapping(parts, name).get("inside")
        if isinstance(inside, str):
            path = ("pu", "parts", name, "inside")
            if inside not in parts:
                yield path, _no_such_part(inside, parts)
            elif (chain := _chain(parts, name))[-1] == name and name == min(chain):
                yield path, f"a part cannot stand inside itself: {' inside '.join(chain)}"
    if not parts:
        return
    mapping = _mapping(data, "mapping")
    for role in ROLES:
        part = mapping.get(role)
        if isinstance(part, str) and part not in parts:
            yield ("mapping", role), _no_such_part(part, parts)


def broken_modes(machine: Machine) -> Broken:
    """Modes that are asked for although the part has none."""
    mapping = machine.mapping
    if "slc_rate" in mapping.model_fields_set and not machine.parts[mapping.linear].modes:
        kind = getattr(machine.model.pu.parts[mapping.linear], "kind", "")
        message = (
            f"contradicts mapping.linear: the part {mapping.linear!r} ({kind}) has no SLC mode; leave it out"
        )
        yield ("mapping", "slc_rate"), message


def _no_such_part(name: str, parts: dict[str, Any]) -> str:
    allowed = ", ".join(parts)
    return f"must name a part of pu.parts, one of: {allowed}, not {shorten(name)}{did_you_mean(name, parts)}"


def _chain(parts: dict[str, Any], name: str) -> list[str]:
    """``name``, the part that it stands inside, and so on, until a part that is no part or comes again."""
    chain = [name]
    while True:
        inside = _mapping(parts, chain[-1]).get("inside")
        if not isinstance(inside, str) or inside not in parts:
            return chain
        chain.append(inside)
        if inside in chain[:-1]:
            return chain


def _mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping at ``key``, empty where it is missing or none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}
