"""Rules between the sections of a hardware YAML, which no section can check by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archsim.errors import did_you_mean
from archsim.hardware.located_yaml import Path, shorten
from archsim.hardware.machine import ROLES, Machine

TAKEN = ("bus", "interconnect", "global_bus", "chip_link", "static")
"""Names that reports use for the machine's media and for its idle power."""

OWNERS = ("pu", "chip")
"""The sections that have parts."""

Broken = Iterator[tuple[Path, str]]
"""The paths at which rules are broken, each with its message."""


def broken_names(data: dict[str, Any]) -> Broken:
    """Names of parts that do not exist, are taken, or stand inside themselves; ``data`` may be invalid."""
    parts = {owner: _mapping(_mapping(data, owner), "parts") for owner in OWNERS}
    for owner in OWNERS:
        yield from _broken_parts(owner, parts[owner])
    for name in parts["chip"]:
        if name in parts["pu"]:
            yield ("chip", "parts", name), f"{name!r} is a part of pu.parts too: choose another name"
    if parts["pu"]:
        yield from _broken_roles(_mapping(data, "mapping"), parts["pu"], parts["chip"])


def broken_uses(machine: Machine) -> Broken:
    """What ``mapping`` asks of parts that cannot do it."""
    mapping = machine.mapping
    weights, executor = mapping.holders("linear"), mapping.executor("linear")
    if "slc_rate" in mapping.model_fields_set and not any(machine.part(name).modes for name in weights):
        message = f"the part {_named(machine, weights[0])} has no SLC mode; leave it out"
        yield ("mapping", "slc_rate"), f"contradicts mapping.linear: {message}"
    for role in ("linear", "attention"):
        for name in mapping.holders(role):
            if name != mapping.executor(role) and not machine.part(name).readable:
                message = f"other parts cannot read what {_named(machine, name)} holds: name a memory"
                yield ("mapping", role, "held"), message
    for name in mapping.holders("intermediates"):
        if name in mapping.holders("attention") and not machine.part(name).readable:
            message = f"other parts cannot read what {_named(machine, name)} holds: name a memory"
            yield ("mapping", "intermediates"), message
    if (
        "replication" in mapping.model_fields_set
        and mapping.replication != "none"
        and executor not in weights
    ):
        message = f"weights that {executor!r} reads from {weights[0]!r} have no copies; leave it out"
        yield ("mapping", "replication"), f"contradicts mapping.linear: {message}"
    together = machine.parts[mapping.executor("attention")].group_tokens
    if mapping.score_slots < together:
        message = f"must be at least {together}, the tokens that {mapping.executor('attention')!r} takes up"
        yield ("mapping", "score_slots"), f"{message} together, not {mapping.score_slots}"


def _broken_parts(owner: str, parts: dict[str, Any]) -> Broken:
    """Names that are taken, and parts that stand in what is no part, or in themselves."""
    for name in parts:
        if name in TAKEN:
            yield (owner, "parts", name), f"{name!r} has a meaning of its own in reports: choose another name"
    for name in parts:
        inside = _mapping(parts, name).get("inside")
        if isinstance(inside, str):
            path = (owner, "parts", name, "inside")
            if inside not in parts:
                yield path, _no_such_part(inside, {owner: parts})
            elif (chain := _chain(parts, name))[-1] == name and name == min(chain):
                yield path, f"a part cannot stand inside itself: {' inside '.join(chain)}"


def _broken_roles(mapping: dict[str, Any], own: dict[str, Any], shared: dict[str, Any]) -> Broken:
    """Executors that are no parts of a PU, and holders that are parts of neither a PU nor a chip."""
    either = {"pu": own} | ({"chip": shared} if shared else {})
    for role in ROLES:
        given = mapping.get(role)
        path: Path = ("mapping", role)
        if isinstance(given, dict):
            for key in ("on", "pruner"):
                if isinstance(given.get(key), str) and given[key] not in own:
                    yield (*path, key), _no_such_part(given[key], {"pu": own})
            given, path = given.get("held"), (*path, "held")
        elif isinstance(given, str) and role != "intermediates":
            if given not in own:
                yield path, _no_such_part(given, {"pu": own})
            continue
        for name in given if isinstance(given, list) else [given]:
            if isinstance(name, str) and name not in own and name not in shared:
                yield path, _no_such_part(name, either)


def _named(machine: Machine, name: str) -> str:
    owner = machine.model.chip if name in machine.chip_parts else machine.model.pu
    return f"{name!r} ({getattr(owner.parts[name], 'kind', '')})"


def _no_such_part(name: str, owners: dict[str, dict[str, Any]]) -> str:
    parts = [part for of_owner in owners.values() for part in of_owner]
    where = " or ".join(f"{owner}.parts" for owner in owners)
    allowed = ", ".join(parts)
    return f"must name a part of {where}, one of: {allowed}, not {shorten(name)}{did_you_mean(name, parts)}"


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
