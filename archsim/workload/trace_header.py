"""The header of a trace: model, attention, batch, precision, phases and experts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

from archsim.errors import did_you_mean
from archsim.workload.operations import Experts, Phase, Precision
from archsim.workload.trace_format import (
    EXPERT_FIELDS,
    HEADERS,
    NAME_FORM,
    OPERATION_FORM,
    PHASE_FIELDS,
    PRECISION_FIELDS,
    ROUTING,
    Report,
    is_name,
    parse_fields,
    parse_number,
    shown,
)

Attention = Literal["full", "causal"]


@dataclass(slots=True)
class Header:
    """What the header lines have said so far.

    Args: lines: where each header, or each phase, stands; a broken one too, so that it is not also
        reported as missing.
    """

    model: str = ""
    attention: Attention = "causal"
    batch: int = 1
    precision: Precision = field(default_factory=Precision)
    prefill: Phase | None = None
    decode: Phase | None = None
    experts: Experts | None = None
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in the order in which they run."""
        return tuple(phase for phase in (self.prefill, self.decode) if phase)


def parse_header(words: list[str], line: int, header: Header, report: Report) -> None:
    """Take one header line into ``header``."""
    key, values = words[0], words[1:]
    if key not in HEADERS:
        allowed = f"allowed are {', '.join(HEADERS)}, then operations as '{OPERATION_FORM}'"
        report.add(f"unknown header {shown(key)}{did_you_mean(key, HEADERS)}; {allowed}", line)
        return
    name = " ".join(words[:2]) if key == "phase" else key
    if name in header.lines:
        report.add(f"{name} is given twice, first in line {header.lines[name]}", line)
        return
    header.lines[name] = line
    if key == "precision":
        _parse_precision(values, line, header, report)
    elif key == "phase":
        _parse_phase(values, line, header, report)
    elif key == "experts":
        _parse_experts(values, line, header, report)
    elif len(values) != 1:
        report.add(f"{key} takes one word, given {len(values)}", line)
    else:
        _parse_word(key, values[0], line, header, report)


def _parse_word(key: str, word: str, line: int, header: Header, report: Report) -> None:
    """The headers of one word: model, attention, batch."""
    if key == "model":
        header.model = word
        if not is_name(word):
            report.add(f"model: given {shown(word)}, allowed are {NAME_FORM}", line)
    elif key == "batch":
        try:
            header.batch = parse_number(key, word)
        except ValueError as error:
            report.add(str(error), line)
    elif word in ("full", "causal"):
        header.attention = cast(Attention, word)
    else:
        near = did_you_mean(word, ("full", "causal"))
        report.add(f"attention: given {shown(word)}, allowed are full and causal{near}", line)


def _parse_precision(words: list[str], line: int, header: Header, report: Report) -> None:
    values = parse_fields("precision", words, (), PRECISION_FIELDS, report, line)
    if values is not None:
        header.precision = Precision(**values)


def _parse_phase(words: list[str], line: int, header: Header, report: Report) -> None:
    name = words[0] if words else ""
    if name not in PHASE_FIELDS:
        near = did_you_mean(name, PHASE_FIELDS)
        report.add(f"phase: given {shown(name)}, allowed are prefill and decode{near}", line)
        header.lines["phase"] = line
        return
    values = parse_fields(f"phase {name}", words[1:], PHASE_FIELDS[name], (), report, line)
    if values is None:
        return
    if name == "prefill":
        header.prefill = Phase("prefill", tokens=values["tokens"])
    else:
        header.decode = Phase("decode", steps=values["steps"], context=values["context"])


def _parse_experts(words: list[str], line: int, header: Header, report: Report) -> None:
    numbers = [word for word in words if not word.startswith("routing=")]
    routing = [word.partition("=")[2] for word in words if word.startswith("routing=")]
    values = parse_fields("experts", numbers, EXPERT_FIELDS, (), report, line)
    if routing != [ROUTING]:
        given = ", ".join(shown(word) for word in routing) or "none"
        report.add(f"routing: given {given}, allowed is routing={ROUTING}, once", line)
    elif values is not None and values["active"] > values["count"]:
        report.add(f"active: given {values['active']}, allowed is at most count={values['count']}", line)
    elif values is not None:
        header.experts = Experts(**values)


def check_header(header: Header, report: Report) -> None:
    """What no header line shows by itself: missing ones, and phases that do not fit each other."""
    for key in ("model", "attention"):
        if key not in header.lines:
            report.add(f"the header lacks {key}")
    if not any(key.startswith("phase") for key in header.lines):
        report.add(
            "the header lacks a phase: 'phase prefill tokens=N', 'phase decode steps=M context=C' or both"
        )
    decode_line = header.lines.get("phase decode")
    if decode_line is None:
        return
    if header.attention == "full":
        report.add("a decode phase needs attention causal, given full", decode_line)
    if header.lines.get("phase prefill", 0) > decode_line:
        report.add("a prefill stands before the decode phase", header.lines["phase prefill"])
    if header.prefill and header.decode and header.prefill.tokens != header.decode.context:
        left = f"the prefill before it leaves {header.prefill.tokens} keys in the cache"
        report.add(f"context: given {header.decode.context}, but {left}", decode_line)
