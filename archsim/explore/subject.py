"""What a sweep is about: the machine's text, the workload and the options that all its points share."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archsim.errors import ArchsimError, Finding, SpaceError
from archsim.explore.space import Axis, Space
from archsim.explore.version import RESULT_VERSION
from archsim.explore.workload import PREFIX, trace_digest, varied
from archsim.hardware.loader import machine_of, read_text
from archsim.hardware.located_yaml import LocatedYaml, read_yaml
from archsim.hardware.machine import Machine
from archsim.workload.operations import Trace
from archsim.workload.trace import read_trace

MOST_CHECKED = 1000
"""Values of an axis that are tried by themselves before a sweep; of a longer one, the first and the last."""

_MOST_FINDINGS = 5


@dataclass(frozen=True)
class Subject:
    """A machine and a workload of which a sweep varies some values.

    Args: file: of the machine, as findings name it; text: the file's content, so that a change of the file
        during the sweep changes nothing; stream: whether throughput is measured on a stream.
    """

    file: str
    text: str
    trace: Trace
    stream: bool = True

    @cached_property
    def document(self) -> LocatedYaml:
        """The machine's YAML, parsed once."""
        return read_yaml(self.text, self.file)

    @cached_property
    def digest(self) -> bytes:
        """The content of what all points share."""
        shared = [RESULT_VERSION, self.text, trace_digest(self.trace), self.options]
        return hashlib.sha256(json.dumps(shared).encode()).digest()

    @property
    def options(self) -> dict[str, Any]:
        """How points are simulated."""
        return {"detail": "module", "stream": self.stream}

    def machine(self, settings: Mapping[str, Any]) -> Machine:
        """The machine of a point.

        Raises: HardwareError: when there is none.
        """
        own = {path: value for path, value in settings.items() if not path.startswith(PREFIX)}
        return machine_of(self.document, self.file, own)

    def workload(self, settings: Mapping[str, Any]) -> Trace:
        """The trace of a point.

        Raises: TraceError: when there is none.
        """
        own = {path: value for path, value in settings.items() if path.startswith(PREFIX)}
        return varied(self.trace, own) if own else self.trace

    def request(self, settings: Mapping[str, Any]) -> bytes:
        """A digest by which a question that was asked before is known without building its machine."""
        asked = json.dumps(settings, sort_keys=True).encode()
        return hashlib.sha256(self.digest + asked).digest()


def read_subject(
    hardware: str | os.PathLike[str], trace: str | os.PathLike[str] | Trace, *, stream: bool = True
) -> Subject:
    """The subject of two files, or of a machine's file and a trace.

    Raises: HardwareError, TraceError: when one of them cannot be read.
    """
    file = os.fspath(hardware)
    workload = trace if isinstance(trace, Trace) else read_trace(trace)
    return Subject(file, read_text(file), workload, stream)


def check_space(subject: Subject, space: Space) -> None:
    """Try every value by itself, so that a path or a type that is wrong stops a sweep before it starts.

    What is wrong only together with other values is found at the points that have them.
    Raises: HardwareError: for a machine that is wrong without any change; SpaceError: with every path and
        value that is wrong.
    """
    subject.machine({})
    findings = [found for axis in space.axes for found in _wrong_values(subject, axis)]
    if findings:
        raise SpaceError(findings)


def _wrong_values(subject: Subject, axis: Axis) -> Iterator[Finding]:
    """What is wrong with the values of one axis, each thing once and not too many."""
    values = axis.values if len(axis.values) <= MOST_CHECKED else (axis.values[0], axis.values[-1])
    messages: dict[str, None] = {}
    for value in values:
        messages |= dict.fromkeys(_complaints(subject, axis.path, value))
    for message in list(messages)[:_MOST_FINDINGS]:
        yield Finding(message, axis.label, axis.line, "" if axis.line is None else axis.path)
    if len(messages) > _MOST_FINDINGS:
        yield Finding(f"{len(messages) - _MOST_FINDINGS} more values are wrong", axis.label, axis.line)


def _complaints(subject: Subject, path: str, value: Any) -> Iterator[str]:
    """What is wrong with one value of a path whatever the others are."""
    settings = {path: value}
    label = f"--set {path}={value}"
    try:
        subject.workload(settings)
        subject.machine(settings)
    except ArchsimError as error:
        for found in error.findings:
            own = found.file in (label, ascii(label)) and not found.path
            if own or (not found.file and found.path == path):
                yield found.message
