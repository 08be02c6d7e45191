"""The errors that a person sees: each says where, what was given, what is allowed and the likely fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an input.

    Args: message: what is wrong, what was given, what is allowed; file: as the user wrote it;
        line: counted from 1; path: dotted path inside the file, such as ``pu.parts.analog.count``.
    """

    message: str
    file: str = ""
    line: int | None = None
    path: str = ""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ArchsimError(Exception):
    """Base of every error that archsim raises on purpose; ``str()`` is one line a finding.

    The command line prints it without a traceback and exits with status 2.
    """

    def __init__(self, findings: str | Finding | Iterable[Finding]) -> None:
        if isinstance(findings, str):
            findings = Finding(findings)
        if isinstance(findings, Finding):
            findings = (findings,)
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class HardwareError(ArchsimError):
    """A hardware YAML or an override that does not describe a machine."""


class TraceError(ArchsimError):
    """A trace file or a model shape that does not describe a workload."""


class MappingError(ArchsimError):
    """A workload that the machine cannot hold or execute: says need, have and how far short."""


class CrossbarError(ArchsimError):
    """Numbers or matrices that the arrays cannot take: shape, type, range, or coding."""


class SimulationError(ArchsimError):
    """A run that cannot be carried out: too large for memory, or tasks that wait for each other."""


class SpaceError(ArchsimError):
    """A space of designs or an objective that cannot be swept: unknown path, empty range, too many."""


class OutputError(ArchsimError):
    """A result that cannot be written where it was asked for."""


class ResultError(ArchsimError):
    """A result that was written earlier and cannot be read back: cut, changed, or of another version."""


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """The nearest allowed word as ``" (did you mean 'x'?)"``, or nothing when none is near."""
    near = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
