"""Broken trace files, each with its exact findings; and what the reader forgives."""

from pathlib import Path

import pytest

from archsim.errors import TraceError
from archsim.workload.operations import Experts, Phase, Precision, Trace
from archsim.workload.trace import read_trace

# Line numbers: header 1-4, operations 5-13.
GOOD = """\
archsim-trace 1
model tiny
attention causal
phase prefill tokens=3
x embedding - vocabulary=100 width=8
q linear 0 rows=8 columns=8 after=x
k linear 0 rows=8 columns=4 after=x
v linear 0 rows=8 columns=4 after=x
s attention_scores 0 heads=4 kv_heads=2 head_size=2 after=q,k
p softmax 0 heads=4 after=s
c attention_context 0 heads=4 kv_heads=2 head_size=2 after=p,v
a add 0 width=8 after=c,x
h linear - rows=8 columns=100 last after=a
"""

MOE = """\
archsim-trace 1
model moe
attention full
experts count=2 active=1 seed=7 routing=uniform
phase prefill tokens=3
x embedding - vocabulary=100 width=8
r linear 0 rows=8 columns=2 after=x
t route 0 width=2 after=r
e0 linear 0 rows=8 columns=8 expert=0 after=x
e1 linear 0 rows=8 columns=8 expert=1 after=x
y combine 0 width=8 after=e0,e1
"""


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes) -> Trace:
    Path("t.trace").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_trace("t.trace")


def findings(text: str | bytes) -> list[str]:
    """The findings of a file, without its name."""
    with pytest.raises(TraceError) as error:
        read(text)
    lines = str(error.value).splitlines()
    assert all(line.startswith("t.trace:") for line in lines)
    return [line.removeprefix("t.trace:").strip() for line in lines]


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, (old, text)
    return text.replace(old, new)


def cases(name: str) -> list[tuple[str, str, list[str]]]:
    """The cases of a table of broken traces: what is replaced, by what, and the findings."""
    blocks = (Path(__file__).parent / name).read_text().split("\n\n")[1:]
    table = []
    for block in blocks:
        change, *expected = block.strip().splitlines()
        old, _, new = change.replace("\\n", "\n").partition(" =>")
        table.append((old, new.removeprefix(" "), [line.strip() for line in expected]))
    return table


def test_a_whole_trace() -> None:
    trace = read(GOOD)
    assert (trace.model, trace.attention, trace.batch, trace.layers) == ("tiny", "causal", 1, 1)
    assert trace.phases == (Phase("prefill", tokens=3),)
    assert trace.precision == Precision()
    scores = trace.by_id["s"]
    assert (scores.kind, scores.layer, scores.after) == ("attention_scores", 0, ("q", "k"))
    assert (scores.heads, scores.kv_heads, scores.head_size) == (4, 2, 2)
    assert trace.by_id["h"].last
    assert not trace.by_id["a"].last
    assert trace.by_id["h"].layer is None


def test_experts() -> None:
    trace = read(MOE)
    assert trace.experts == Experts(count=2, active=1, seed=7)
    assert [op.expert for op in trace.operations] == [None, None, None, 0, 1, None]


def test_comments_blank_lines_tabs_and_carriage_returns() -> None:
    spaced = GOOD.replace(" ", " \t ").replace("\n", "   # why\r\n\r\n# a comment\n")
    assert read(spaced) == read(GOOD)


def test_fields_in_any_order() -> None:
    assert read(changed(GOOD, "rows=8 columns=100 last after=a", "after=a last columns=100 rows=8")) == read(
        GOOD
    )


def test_precision_names_what_differs() -> None:
    trace = read(changed(GOOD, "phase", "precision score_bits=16 weight_bits=4\nphase"))
    assert trace.precision == Precision(weight_bits=4, score_bits=16)


def test_a_consumer_may_stand_before_its_producer() -> None:
    lines = GOOD.splitlines(keepends=True)
    trace = read("".join(lines[:4] + lines[:3:-1]))
    # of what is free, the first in the file: x frees v, k, q; v stands first, and frees nothing
    assert [op.id for op in trace.operations] == ["x", "v", "k", "q", "s", "p", "c", "a", "h"]


@pytest.mark.parametrize(("old", "new", "expected"), cases("broken_traces.txt"))
def test_broken(old: str, new: str, expected: list[str]) -> None:
    assert findings(changed(GOOD, old, new)) == expected


@pytest.mark.parametrize(("old", "new", "expected"), cases("broken_experts.txt"))
def test_broken_experts(old: str, new: str, expected: list[str]) -> None:
    assert findings(changed(MOE, old, new)) == expected


def test_unknown_kind_that_is_near_nothing() -> None:
    [finding] = findings(changed(GOOD, "k linear 0", "k zzz 0"))
    assert finding.startswith("7: k: unknown kind 'zzz'; allowed are embedding, linear, attention_scores, ")


def test_decode_under_full_attention() -> None:
    text = changed(GOOD, "causal", "full").replace("prefill tokens=3", "decode steps=2 context=3")
    assert findings(text) == ["4: a decode phase needs attention causal, given full"]


def test_all_findings_at_once_in_the_order_of_their_lines() -> None:
    text = changed(GOOD, "tiny", "4bit").replace("k linear", "k linaer").replace("after=c,x", "after=c,yy")
    assert findings(text) == [
        "2: model: given '4bit', allowed are letters, digits and _ . - /, a letter first",
        "7: k: unknown kind 'linaer' (did you mean 'linear'?)",
        "12: a: there is no operation 'yy' to wait for",
    ]


def test_nearest_operand() -> None:
    text = GOOD.replace("after=x", "after=tokens").replace("c,x", "c,tokenz").replace("x emb", "tokens emb")
    assert findings(text) == ["12: a: there is no operation 'tokenz' to wait for (did you mean 'tokens'?)"]


def test_two_cycles_are_both_named() -> None:
    text = GOOD + "m gelu - width=8 after=n\nn gelu - width=8 after=m\no gelu - width=8 after=o\n"
    assert findings(text) == ["14: m: a cycle: m waits for n waits for m", "16: o: a cycle: o waits for o"]


def test_a_long_cycle_is_shortened() -> None:
    ring = "".join(f"g{i} gelu - width=8 after=g{(i + 1) % 5000}\n" for i in range(5000))
    names = " waits for ".join(f"g{i}" for i in range(7))
    assert findings(GOOD + ring) == [f"14: g0: a cycle: {names} waits for ... (5000 operations) waits for g0"]


def test_no_operations() -> None:
    assert findings("".join(GOOD.splitlines(keepends=True)[:4])) == ["there are no operations"]


def test_cut_off_inside_the_last_line() -> None:
    cut = "13: the file ends inside this line, without a newline, as if it were cut off"
    assert findings(GOOD[:-1]) == [cut]
    assert findings(GOOD[: GOOD.index("after=a")]) == [cut]


def test_cut_off_anywhere_is_never_silent_within_a_line() -> None:
    for length in range(len(GOOD)):
        if GOOD[length - 1 : length] != "\n":
            findings(GOOD[:length])


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "the file is empty; a trace begins with 'archsim-trace 1'"),
        (b"\n\n# nothing\n", "the file is empty; a trace begins with 'archsim-trace 1'"),
        (b"\x7fELF\x02\x01\x01\0\0", "1: is not a text file: a zero byte at column 8"),
        (b"archsim-trace 1\nmodel \xff\xfe\n", "2: is not a text file in UTF-8: byte 0xff at column 7"),
        (b"archsim-trace 1\n" + b"x" * 100_001, "2: the line is longer than 100000 characters"),
        (
            b"PK notes\n",
            "1: is not a trace: begins with 'PK notes', a trace begins with 'archsim-trace 1'",
        ),
    ],
)
def test_not_a_trace_at_all(content: bytes, finding: str) -> None:
    assert findings(content) == [finding]


def test_what_was_found_before_the_garbage_is_told_too() -> None:
    assert findings(b"archsim-trace 1\nmodle x\n\0") == [
        "2: unknown header 'modle' (did you mean 'model'?); allowed are model, attention, batch, precision, "
        "phase, experts, then operations as 'id kind layer key=value ... after=a,b'",
        "3: is not a text file: a zero byte at column 1",
    ]


def test_missing_file_and_directory() -> None:
    with pytest.raises(TraceError, match=r"^no/such\.trace: there is no such file$"):
        read_trace("no/such.trace")
    Path("folder").mkdir()
    with pytest.raises(TraceError, match=r"^folder: is a directory, not a trace file$"):
        read_trace(Path("folder"))


def test_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(TraceError, match=r"^t\.trace: cannot be read: Permission denied$"):
        read_trace("t.trace")
