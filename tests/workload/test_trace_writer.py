"""Writing and reading give the same trace, and whatever a file holds, reading it ends in words."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import TraceError
from archsim.workload.catalogue import CATALOGUE
from archsim.workload.generate import generate, trace_text
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace
from archsim.workload.trace import read_trace, write_trace
from archsim.workload.trace_format import PRECISION_FIELDS

small = st.integers(1, 9)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_./-]{0,11}", fullmatch=True).filter(
    lambda name: name not in ("model", "attention", "batch", "precision", "phase", "experts")
)


def read(content: bytes) -> Trace:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "t.trace"
        path.write_bytes(content)
        return read_trace(path)


class Chain:
    """Draws operations that fit each other: each takes the vectors of those before it."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.ids = iter(draw(st.lists(names, min_size=60, max_size=60, unique=True)))
        self.operations: list[Operation] = []
        self.layer: int | None = None

    def add(self, kind: str, *after: Operation, **fields: Any) -> Operation:
        operands = tuple(op.id for op in after)
        self.operations.append(Operation(next(self.ids), kind, self.layer, operands, **fields))
        return self.operations[-1]

    def linear(self, source: Operation, columns: int, **fields: Any) -> Operation:
        return self.add("linear", source, rows=source.output_width, columns=columns, **fields)

    def attention(self, source: Operation) -> Operation:
        kv_heads, group, head_size = (self.draw(small) for _ in range(3))
        heads = {"heads": kv_heads * group, "kv_heads": kv_heads, "head_size": head_size}
        query = self.linear(source, kv_heads * group * head_size)
        query = self.add("rotary", query, heads=kv_heads * group, head_size=head_size)
        key, value = (self.linear(source, kv_heads * head_size) for _ in range(2))
        scores = self.add("attention_scores", query, key, **heads)
        weights = self.add("softmax", scores, heads=kv_heads * group)
        return self.add("attention_context", weights, value, **heads)

    def experts(self, source: Operation, count: int) -> Operation:
        logits = self.linear(source, count)
        self.add("route", logits, width=count)
        results = [self.linear(source, 5, expert=expert) for expert in range(count)]
        return self.add("combine", *results, width=5)

    def step(self, source: Operation) -> Operation:
        kind = self.draw(st.sampled_from(("linear", "layernorm", "gelu", "add", "multiply")))
        if kind == "linear":
            return self.linear(source, self.draw(small))
        after = (source, source) if kind in ("add", "multiply") else (source,)
        return self.add(kind, *after, width=source.output_width)


@st.composite
def traces(draw: Any) -> Trace:
    chain = Chain(draw)
    source = chain.add("embedding", vocabulary=draw(small), width=draw(small))
    experts = draw(
        st.none() | st.builds(Experts, st.integers(2, 4), st.integers(1, 2), st.integers(0, 2**40))
    )
    for chain.layer in range(draw(st.integers(1, 3))):
        source = chain.step(chain.attention(source) if draw(st.booleans()) else source)
        if experts:
            source = chain.experts(source, experts.count)
    chain.layer = None
    logits = chain.linear(source, 7, last=True)
    chain.add("argmax", logits, width=7, last=True)
    decode = draw(st.booleans())
    tokens = draw(st.integers(0 if decode else 1, 50))
    phases = [Phase("prefill", tokens=tokens)] if tokens else []
    if decode:
        phases.append(Phase("decode", steps=draw(small), context=tokens or draw(small)))
    return Trace(
        model=draw(names),
        attention="causal" if decode else draw(st.sampled_from(("full", "causal"))),
        batch=draw(small),
        precision=Precision(**{name: draw(st.integers(1, 64)) for name in PRECISION_FIELDS}),
        phases=tuple(phases),
        operations=tuple(chain.operations),
        experts=experts,
    )


@given(traces())
def test_round_trip(trace: Trace) -> None:
    text = write_trace(trace)
    again = read(text.encode())
    assert again == trace
    assert write_trace(again) == text


@given(traces(), st.randoms())
def test_any_order_of_the_operations_reads_as_one_with_producers_first(trace: Trace, random: Any) -> None:
    lines = write_trace(trace).splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith("# id")) + 1
    body = lines[first:]
    random.shuffle(body)
    again = read("".join(lines[:first] + body).encode())
    assert again.by_id == trace.by_id
    place = {op.id: index for index, op in enumerate(again.operations)}
    assert all(place[name] < place[op.id] for op in again.operations for name in op.after)
    assert read(write_trace(again).encode()).operations == again.operations


SEED = trace_text(CATALOGUE["gpt2_decode"]).encode()[:3000] + b"\n"


@given(
    st.integers(0, 3000), st.integers(0, 200), st.binary(max_size=40) | st.text(max_size=20).map(str.encode)
)
def test_damage_is_told_in_words(start: int, length: int, instead: bytes) -> None:
    damaged = SEED[:start] + instead + SEED[start + length :]
    try:
        read(damaged)
    except TraceError as error:
        assert all(finding.file and finding.message for finding in error.findings)


def test_columns_that_a_person_can_read() -> None:
    trace = Trace(
        model="tiny",
        attention="causal",
        batch=2,
        precision=Precision(),
        phases=(Phase("prefill", tokens=3), Phase("decode", steps=2, context=3)),
        operations=(
            Operation("x", "embedding", None, vocabulary=100, width=8),
            Operation("up", "linear", 0, ("x",), rows=8, columns=8),
            Operation("head", "linear", None, ("up",), rows=8, columns=100, last=True),
        ),
    )
    assert write_trace(trace, ("made by hand",)) == (
        "archsim-trace 1\n"
        "# made by hand\n"
        "model      tiny\n"
        "attention  causal\n"
        "batch      2\n"
        "precision  weight_bits=8 activation_bits=8 score_bits=12 nonlinear_bits=16 partial_sum_bits=32\n"
        "phase      prefill tokens=3\n"
        "phase      decode steps=2 context=3\n"
        "\n"
        "# id  kind       layer  shape                    after\n"
        "x     embedding  -      vocabulary=100 width=8\n"
        "\n"
        "up    linear     0      rows=8 columns=8         after=x\n"
        "\n"
        "head  linear     -      rows=8 columns=100 last  after=up\n"
    )


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a=b", "#a", "batch", "1a", "é", "x" * 101])
def test_a_name_that_would_not_read_back(name: str) -> None:
    trace = generate("deit_tiny")
    broken = Trace(
        model="m",
        attention="full",
        batch=1,
        precision=Precision(),
        phases=trace.phases,
        operations=(Operation(name, "layernorm", None, width=1),),
    )
    with pytest.raises(TraceError, match=r"cannot be the name of a model or an operation in a trace file$"):
        write_trace(broken)
