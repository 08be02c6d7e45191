"""Generates the trace of a known model: its operations, and the phases that are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from archsim.errors import Finding, TraceError
from archsim.workload.layers import OperationList, add_head, add_input, add_layer
from archsim.workload.models import ModelShape, find_model
from archsim.workload.operations import Experts, Phase, Precision, Trace
from archsim.workload.trace_format import LARGEST
from archsim.workload.trace_writer import write_trace


@dataclass(frozen=True, slots=True)
class Request:
    """What ``archsim trace`` is asked for.

    Args: tokens: of the prefill, None for the model's usual number, 0 for no prefill; decode: steps;
        context: keys in the cache before the first step, which a prefill gives by itself; batch:
        sequences; head: with the output head, or the layers only.
    """

    model: str
    tokens: int | None = None
    decode: int = 0
    context: int | None = None
    batch: int = 1
    head: bool = True


def generate(
    model: str,
    *,
    tokens: int | None = None,
    decode: int = 0,
    context: int | None = None,
    batch: int = 1,
    head: bool = True,
) -> Trace:
    """The trace of a known model; the arguments are those of Request.

    Raises: TraceError: when there is no such model, or it cannot do what is asked for.
    """
    shape, request = _completed(Request(model, tokens, decode, context, batch, head))
    return _build(shape, request)


def trace_text(request: Request) -> str:
    """The trace as the text of a file, with the command that makes it in a comment.

    Raises: TraceError: as ``generate``.
    """
    shape, request = _completed(request)
    comments = [_command(request)]
    longest = _longest(request)
    if 0 < shape.positions < longest:
        beyond = f"{longest} positions, {shape.name} has learned {shape.positions}"
        comments.append(f"beyond the published shape: {beyond}")
    return write_trace(_build(shape, request), comments)


def _completed(request: Request) -> tuple[ModelShape, Request]:
    """The shape, and the request with its open fields filled in, once all of it is allowed."""
    shape = find_model(request.model)
    request = replace(request, model=shape.name)
    if request.tokens is None:
        decode_only = request.decode > 0 and request.context is not None
        request = replace(request, tokens=0 if decode_only else shape.tokens)
    findings = _check_numbers(request) or _check_phases(request) or _check_model(shape, request)
    if findings:
        raise TraceError(findings)
    return shape, request


def _check_numbers(request: Request) -> list[Finding]:
    """Each number for itself."""
    lowest = {"tokens": 0, "decode": 0, "context": 1, "batch": 1}
    findings = []
    for name, low in lowest.items():
        value = getattr(request, name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= LARGEST:
            allowed = f"allowed is a whole number from {low} to {LARGEST}"
            findings.append(Finding(f"given {value!r}, {allowed}", path=name))
    return findings


def _check_phases(request: Request) -> list[Finding]:
    """Phases that follow each other."""
    if not request.decode and request.context is not None:
        return [Finding(f"given {request.context} without decode steps; ask for decode too", path="context")]
    if not request.tokens and not request.decode:
        return [Finding("given 0 without decode steps: there is nothing to run", path="tokens")]
    if not request.tokens and request.context is None:
        return [
            Finding("not given; decode steps without a prefill need the keys in the cache", path="context")
        ]
    if request.tokens and request.context not in (None, request.tokens):
        left = f"the prefill of {request.tokens} tokens leaves {request.tokens} keys in the cache"
        return [
            Finding(
                f"given {request.context}, but {left}; leave context out, or ask for 0 tokens", path="context"
            )
        ]
    return []


def _check_model(shape: ModelShape, request: Request) -> list[Finding]:
    """What the model cannot do."""
    findings = []
    if request.decode and not shape.decoder:
        encoder = f"{shape.name} is an encoder: every token attends to all others, so that none is decoded"
        findings.append(Finding(f"given {request.decode}, but {encoder}", path="decode"))
    elif shape.architecture == "vit" and request.tokens != shape.tokens:
        fixed = f"allowed is {shape.tokens}: the patches of a 224 x 224 image and the class token"
        findings.append(Finding(f"given {request.tokens}, {fixed}", path="tokens"))
    return findings


def _longest(request: Request) -> int:
    """Positions that a sequence takes in the end."""
    return (request.tokens or request.context or 0) + request.decode


def _command(request: Request) -> str:
    words = ["archsim trace", request.model, f"--tokens {request.tokens}"]
    if request.decode:
        words.append(f"--decode {request.decode}")
    if request.context is not None:
        words.append(f"--context {request.context}")
    if request.batch != 1:
        words.append(f"--batch {request.batch}")
    if not request.head:
        words.append("--no-head")
    return " ".join(words)


def _build(shape: ModelShape, request: Request) -> Trace:
    """The trace of a request that is complete and allowed."""
    phases = []
    if request.tokens:
        phases.append(Phase("prefill", tokens=request.tokens))
    if request.decode:
        context = request.tokens or request.context or 0
        phases.append(Phase("decode", steps=request.decode, context=context))
    operations = OperationList()
    vector = add_input(shape, operations)
    for layer in range(shape.layers):
        vector = add_layer(shape, layer, vector, operations)
    if request.head:
        add_head(shape, vector, operations)
    return Trace(
        model=shape.name,
        attention="causal" if shape.decoder else "full",
        batch=request.batch,
        precision=Precision(),
        phases=tuple(phases),
        operations=tuple(operations.operations),
        experts=Experts(shape.experts, shape.active) if shape.experts > 1 else None,
    )
