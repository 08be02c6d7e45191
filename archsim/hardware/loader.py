"""Reads a hardware YAML into a machine, or says everything that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from archsim.errors import Finding, HardwareError, did_you_mean
from archsim.hardware.findings import explain
from archsim.hardware.located_yaml import LocatedYaml, Path, dotted, read_yaml, shorten
from archsim.hardware.machine import HardwareModel, Machine, build_machine
from archsim.hardware.overrides import Override, apply_override, read_overrides
from archsim.hardware.rules import broken_names, broken_uses

MAX_BYTES = 10**6
"""No hardware description is longer."""

_SECTIONS = "the sections system, chip, pu and mapping"


def load_hardware(path: str | os.PathLike[str], overrides: Sequence[str] | Mapping[str, Any] = ()) -> Machine:
    """The machine that a hardware YAML describes.

    Args: overrides: texts ``PATH=VALUE``, or values by path, that replace those of the file.
    Raises: HardwareError: with everything that is wrong with file and overrides, each with its place.
    """
    file = os.fspath(path)
    return machine_of(read_yaml(read_text(file), file), file, overrides)


def machine_of(
    document: LocatedYaml, file: str, overrides: Sequence[str] | Mapping[str, Any] = ()
) -> Machine:
    """The machine that a hardware YAML describes which has been read; ``document`` stays as it is.

    Args: file: as findings name it; overrides: as of ``load_hardware``.
    Raises: HardwareError: as ``load_hardware``.
    """
    data = dict(_root(document, file))
    to_apply, findings = read_overrides(overrides)
    findings += document.findings
    findings += [finding for override in to_apply if (finding := apply_override(data, override))]
    locator = _Locator(file, document.lines, to_apply)
    findings += locator.findings(broken_names(data))
    model = None
    try:
        model = HardwareModel.model_validate(data)
    except ValidationError as error:
        findings += locator.findings(explain(error, HardwareModel, data))
    if model is None or findings:
        raise HardwareError(sorted(findings, key=lambda finding: finding.line or MAX_BYTES))
    machine = build_machine(model, file)
    findings += locator.findings(broken_uses(machine))
    if findings:
        raise HardwareError(findings)
    return machine


@dataclass(frozen=True, slots=True)
class _Locator:
    """Knows where each value comes from: a line of the file, or an override."""

    file: str
    lines: dict[Path, int]
    overrides: list[Override]

    def findings(self, broken: Iterable[tuple[Path, str]]) -> list[Finding]:
        """Messages with their places."""
        return [self._finding(path, message) for path, message in broken]

    def _finding(self, path: Path, message: str) -> Finding:
        """Names the override of the value, or of one that the value consists of, before the file."""
        for override in reversed(self.overrides):
            shared = min(len(path), len(override.path))
            if shared and path[:shared] == override.path[:shared]:
                return Finding(message, override.label, path="" if path == override.path else dotted(path))
        depth = next((depth for depth in range(len(path), 0, -1) if path[:depth] in self.lines), 0)
        return Finding(message, self.file, self.lines[path[:depth]], dotted(path))


def _root(document: LocatedYaml, file: str) -> dict[str, Any]:
    """The document as a mapping."""
    data = document.data
    if isinstance(data, dict):
        return data
    if data is None:
        raise HardwareError(Finding(f"the file is empty; a hardware YAML has {_SECTIONS}", file))
    given = "a list" if isinstance(data, list) else shorten(str(data))
    raise HardwareError(Finding(f"must have {_SECTIONS}, not {given}", file, document.lines[()]))


def read_text(file: str) -> str:
    """The file's text.

    Raises: HardwareError: where it cannot be read, is not text, or is longer than a machine's description.
    """
    try:
        with open(file, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise HardwareError(Finding(f"no such file{_nearest_file(file)}", file)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HardwareError(Finding(f"cannot be read: {reason[0].lower() + reason[1:]}", file)) from None
    if len(content) > MAX_BYTES:
        message = f"longer than {MAX_BYTES} bytes: this is not the description of a machine"
        raise HardwareError(Finding(message, file))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not a text: it has the byte 0x{content[error.start]:02X}, which is not UTF-8"
        raise HardwareError(Finding(message, file, line)) from None


def _nearest_file(file: str) -> str:
    """A hint at the file beside it that was perhaps meant."""
    path = FilePath(file)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml")]
    except OSError:
        return ""
    return did_you_mean(path.name, names)
