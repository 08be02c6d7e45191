"""The workload of a point."""

from __future__ import annotations

from typing import Any

import pytest

import archsim
from archsim.errors import TraceError
from archsim.explore.workload import trace_digest, varied


@pytest.mark.parametrize(
    ("settings", "request_"),
    [
        ({"trace.tokens": 9}, {"tokens": 9, "decode": 2}),
        ({"trace.decode_steps": 5}, {"tokens": 3, "decode": 5}),
        ({"trace.decode_steps": 0}, {"tokens": 3}),
        ({"trace.batch": 4, "trace.tokens": 1}, {"tokens": 1, "decode": 2, "batch": 4}),
    ],
)
def test_the_trace_is_the_one_that_would_be_generated(
    settings: dict[str, Any], request_: dict[str, int]
) -> None:
    trace = archsim.generate_trace("gpt2", tokens=3, decode=2)
    expected = archsim.generate_trace("gpt2", **request_)  # type: ignore[arg-type]
    assert varied(trace, settings) == expected


def test_the_context_of_a_decode_alone() -> None:
    trace = archsim.generate_trace("gpt2", decode=2, context=7)
    assert varied(trace, {"trace.context": 70}) == archsim.generate_trace("gpt2", decode=2, context=70)


@pytest.mark.parametrize(
    ("model", "request_", "settings", "message"),
    [
        ("minilm", {}, {"trace.tokens": 0}, "trace.tokens: must be a whole number from 1 to 10000000, not 0"),
        (
            "minilm",
            {},
            {"trace.tokens": 8.5},
            "trace.tokens: must be a whole number from 1 to 10000000, not 8.5",
        ),
        (
            "minilm",
            {},
            {"trace.batch": "x"},
            "trace.batch: must be a whole number from 1 to 10000000, not 'x'",
        ),
        (
            "minilm",
            {},
            {"trace.token": 8},
            "trace.token: there is no such path (did you mean 'trace.tokens'?); of a trace, trace.tokens, "
            "trace.decode_steps, trace.context, trace.batch can be swept",
        ),
        (
            "minilm",
            {},
            {"trace.decode_steps": 8},
            "trace.decode_steps: given 8, but every token of an encoder attends to all others, so that none "
            "is decoded",
        ),
        (
            "gpt2",
            {"decode": 2, "context": 3},
            {"trace.tokens": 8},
            "trace.tokens: the trace has no prefill; sweep trace.context instead",
        ),
        (
            "gpt2",
            {"decode": 2, "context": 3},
            {"trace.decode_steps": 0},
            "trace.decode_steps: given 0, and without a prefill there is nothing left to run",
        ),
        (
            "gpt2",
            {},
            {"trace.context": 8},
            "trace.context: the prefill leaves the keys in the cache; sweep trace.tokens instead",
        ),
    ],
)
def test_what_cannot_be(model: str, request_: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TraceError) as error:
        varied(archsim.generate_trace(model, **request_), settings)
    assert str(error.value) == message


def test_a_digest_is_of_the_content() -> None:
    first, second = (archsim.generate_trace("minilm", tokens=tokens) for tokens in (4, 5))
    assert trace_digest(first) == trace_digest(varied(second, {"trace.tokens": 4})) != trace_digest(second)
