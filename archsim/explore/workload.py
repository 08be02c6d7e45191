"""What a sweep may vary of a trace: how many tokens, decode steps and sequences go through its operations."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archsim.errors import Finding, TraceError, did_you_mean
from archsim.workload.operations import Phase, Trace
from archsim.workload.trace_format import LARGEST
from archsim.workload.trace_writer import write_trace

PREFIX = "trace."
"""How the paths begin that are about the workload."""

LOWEST = {"trace.tokens": 1, "trace.decode_steps": 0, "trace.context": 1, "trace.batch": 1}
"""The paths, and the least value of each."""


def varied(trace: Trace, settings: Mapping[str, Any]) -> Trace:
    """``trace`` with other phases or another batch; its operations stay.

    Args: settings: values by path, each one of LOWEST.
    Raises: TraceError: with all that is wrong, each finding under the path that it is about.
    """
    findings = [found for path, value in settings.items() if (found := _wrong(path, value, trace))]
    if findings:
        raise TraceError(findings)
    prefill = next((phase for phase in trace.phases if phase.name == "prefill"), None)
    decode = next((phase for phase in trace.phases if phase.name == "decode"), None)
    if prefill:
        prefill = replace(prefill, tokens=settings.get("trace.tokens", prefill.tokens))
    context = prefill.tokens if prefill else decode.context if decode else 0
    steps = settings.get("trace.decode_steps", decode.steps if decode else 0)
    decode = Phase("decode", steps=steps, context=settings.get("trace.context", context)) if steps else None
    phases = tuple(phase for phase in (prefill, decode) if phase)
    return replace(trace, phases=phases, batch=settings.get("trace.batch", trace.batch))


def trace_digest(trace: Trace) -> str:
    """The content of a trace, in hexadecimal; comments and the layout of its file do not count."""
    return hashlib.sha256(write_trace(trace).encode()).hexdigest()


def _wrong(path: str, value: Any, trace: Trace) -> Finding | None:
    """What is wrong with one value, if anything."""
    if path not in LOWEST:
        what = (
            f"there is no such path{did_you_mean(path, LOWEST)}; of a trace, {', '.join(LOWEST)} can be swept"
        )
        return Finding(what, path=path)
    low = LOWEST[path]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= LARGEST:
        return Finding(f"must be a whole number from {low} to {LARGEST}, not {value!r}", path=path)
    has_prefill = any(phase.name == "prefill" for phase in trace.phases)
    if path == "trace.tokens" and not has_prefill:
        return Finding("the trace has no prefill; sweep trace.context instead", path=path)
    if path == "trace.context" and has_prefill:
        return Finding("the prefill leaves the keys in the cache; sweep trace.tokens instead", path=path)
    if path == "trace.decode_steps" and value and trace.attention == "full":
        what = "every token of an encoder attends to all others, so that none is decoded"
        return Finding(f"given {value}, but {what}", path=path)
    if path == "trace.decode_steps" and not value and not has_prefill:
        return Finding("given 0, and without a prefill there is nothing left to run", path=path)
    return None
