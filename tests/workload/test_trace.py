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


# one finding each: what is replaced in GOOD, by what, and the finding
HEADER = [
    ("archsim-trace 1", "archsim-trace 2", "1: version: given '2', allowed is 1, as in 'archsim-trace 1'"),
    ("archsim-trace 1", "archsim-trace", "1: version: given '', allowed is 1, as in 'archsim-trace 1'"),
    (
        "archsim-trace 1",
        "system:",
        "1: is not a trace: begins with 'system:', a trace begins with 'archsim-trace 1'",
    ),
    ("archsim-trace 1", "\narchsim-trace 1", "2: 'archsim-trace 1' is the first line of a trace"),
    ("model tiny\n", "", "the header lacks model"),
    ("attention causal\n", "", "the header lacks attention"),
    (
        "phase prefill tokens=3\n",
        "",
        "the header lacks a phase: 'phase prefill tokens=N', 'phase decode steps=M context=C' or both",
    ),
    ("model tiny", "model tiny\nmodel small", "3: model is given twice, first in line 2"),
    ("model tiny", "model tiny small", "2: model takes one word, given 2"),
    ("model tiny", "model 4bit", "2: model: given '4bit', allowed are letters, digits and _ . - /, a letter first"),
    ("attention causal", "attention casual", "3: attention: given 'casual', allowed are full and causal (did you mean 'causal'?)"),
    (
        "model tiny",
        "model tiny\nbatches 2",
        "3: unknown header 'batches' (did you mean 'batch'?); allowed are model, attention, batch, precision, "
        "phase, experts, then operations as 'id kind layer key=value ... after=a,b'",
    ),
    ("model tiny", "model tiny\nbatch 0", "3: batch: given '0', allowed is a whole number from 1 to 10000000"),
    ("model tiny", "model tiny\nbatch two", "3: batch: given 'two', allowed is a whole number from 1 to 10000000"),
    (
        "model tiny",
        "model tiny\nprecision weigth_bits=8",
        "3: unknown field 'weigth_bits' (did you mean 'weight_bits'?); precision takes weight_bits, "
        "activation_bits, score_bits, nonlinear_bits, partial_sum_bits",
    ),
    (
        "model tiny",
        "model tiny\nprecision score_bits=65",
        "3: score_bits: given '65', allowed is a whole number from 1 to 64",
    ),
    (
        "phase prefill tokens=3",
        "phase prefil tokens=3",
        "4: phase: given 'prefil', allowed are prefill and decode (did you mean 'prefill'?)",
    ),
    ("phase prefill tokens=3", "phase", "4: phase: given '', allowed are prefill and decode"),
    ("tokens=3", "tokens=-3", "4: tokens: given '-3', allowed is a whole number from 1 to 10000000"),
    ("tokens=3", "tokens=1e3", "4: tokens: given '1e3', allowed is a whole number from 1 to 10000000"),
    ("tokens=3", "tokens=10000001", "4: tokens: given '10000001', allowed is a whole number from 1 to 10000000"),
    ("tokens=3", "", "4: phase prefill lacks tokens; it is given by tokens"),
    ("phase prefill tokens=3", "phase decode steps=4", "4: phase decode lacks context; it is given by steps, context"),
    (
        "phase prefill tokens=3",
        "phase decode steps=4 context=0",
        "4: context: given '0', allowed is a whole number from 1 to 10000000",
    ),
    (
        "tokens=3",
        "tokens=3\nphase decode steps=4 context=5",
        "5: context: given 5, but the prefill before it leaves 3 keys in the cache",
    ),
    (
        "phase prefill tokens=3",
        "phase decode steps=4 context=3\nphase prefill tokens=3",
        "5: a prefill stands before the decode phase",
    ),
    ("tokens=3", "tokens=3\nphase prefill tokens=3", "5: phase prefill is given twice, first in line 4"),
    (
        "model tiny",
        "model tiny\nexperts count=2 active=3 seed=0 routing=uniform",
        "3: active: given 3, allowed is at most count=2",
    ),
    (
        "model tiny",
        "model tiny\nexperts count=2 active=1 seed=0",
        "3: routing: given none, allowed is routing=uniform, once",
    ),
    (
        "model tiny",
        "model tiny\nexperts count=2 active=1 seed=0 routing=zipf",
        "3: routing: given 'zipf', allowed is routing=uniform, once",
    ),
    (
        "model tiny",
        "model tiny\nexperts count=2 active=1 routing=uniform",
        "3: experts lacks seed; it is given by count, active, seed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "finding"), HEADER)
def test_broken_header(old: str, new: str, finding: str) -> None:
    assert findings(changed(GOOD, old, new)) == [finding]


LINE = [
    (
        "k linear 0 rows=8",
        "k linaer 0 rows=8",
        "7: k: unknown kind 'linaer' (did you mean 'linear'?)",
    ),
    ("k linear 0 rows=8 columns=4 after=x", "k linear", "7: the line is cut off after 'linear'; an operation is 'id kind layer key=value ... after=a,b'"),
    ("k linear 0 rows=8 columns=4 after=x", "k linear 0 rows=8 col", "7: k: 'col' is not key=value; linear takes rows, columns, expert\n7: k: linear lacks columns; it is given by rows, columns"),
    ("k linear 0 rows=8 columns=4", "k linear 0 rows=8", "7: k: linear lacks columns; it is given by rows, columns"),
    (
        "k linear 0 rows=8 columns=4",
        "k linear 0 row=8 columns=4",
        "7: k: unknown field 'row' (did you mean 'rows'?); linear takes rows, columns, expert\n"
        "7: k: linear lacks rows; it is given by rows, columns",
    ),
    ("k linear 0 rows=8", "k linear 0 rows=8 rows=8", "7: k: rows is given twice"),
    ("k linear 0 rows=8", "k linear 0 rows=", "7: k: rows: given '', allowed is a whole number from 1 to 10000000"),
    ("k linear 0 rows=8", "k linear 0 rows=8.0", "7: k: rows: given '8.0', allowed is a whole number from 1 to 10000000"),
    ("k linear 0 rows=8", "k linear 0 rows=0", "7: k: rows: given '0', allowed is a whole number from 1 to 10000000"),
    (
        "k linear 0 rows=8",
        "k linear 0 rows=" + "9" * 70,
        f"7: k: rows: given '{'9' * 57}...', allowed is a whole number from 1 to 10000000",
    ),
    ("k linear 0 rows=8", "k linear one rows=8", "7: k: layer: given 'one', allowed is a whole number from 0 to 99999, or - outside the layers"),
    ("k linear 0 rows=8", "k linear -1 rows=8", "7: k: layer: given '-1', allowed is a whole number from 0 to 99999, or - outside the layers"),
    ("k linear 0 rows=8 columns=4 after=x", "k linear 0 rows=8 columns=4 after=x after=x", "7: k: after is given twice"),
    ("columns=4 after=x\nv", "columns=4 after=x,\nv", "7: k: after: an operand is empty in 'after=x,'\n7: k: linear takes 0 or 1 operands, given 2: x, "),
    ("columns=4 after=x\nv", "columns=4 after=x,q\nv", "7: k: linear takes 0 or 1 operands, given 2: x, q"),
    ("after=q,k", "", "9: s: attention_scores takes 2 operands, given none"),
    ("x embedding - vocabulary=100 width=8", "x embedding - vocabulary=100 width=8 after=q", "5: x: embedding takes no operands, given 1: q"),
    ("p softmax 0 heads=4 after=s", "p softmax 0 heads=4 last after=s", "10: p: last is refused on softmax: every token of attention takes part"),
    ("p softmax 0 heads=4 after=s", "p softmax 0 heads=4 expert=0 after=s", "10: p: expert is refused on softmax: experts share no keys"),
    ("columns=100 last after=a", "columns=100 last last after=a", "13: h: last is given twice"),
    ("s attention_scores 0 heads=4 kv_heads=2", "s attention_scores 0 heads=4 kv_heads=3", "9: s: heads=4 is not a multiple of kv_heads=3: each KV head serves as many heads as the others"),
    ("a add 0 width=8 after=c,x\n", "a add 0 width=8 after=c,x\nbatch 2\n", "13: header batch stands below the first operation"),
    ("h linear -", "h=1 linear -", "13: id: given 'h=1', allowed are letters, digits and _ . - /, a letter first"),
    ("h linear -", "k linear -", "13: id 'k' is given twice, first in line 7"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "finding"), LINE)
def test_broken_line(old: str, new: str, finding: str) -> None:
    assert findings(changed(GOOD, old, new)) == finding.strip().splitlines()


def test_unknown_kind_that_is_near_nothing() -> None:
    [finding] = findings(changed(GOOD, "k linear 0", "k zzz 0"))
    assert finding.startswith("7: k: unknown kind 'zzz'; allowed are embedding, linear, attention_scores, ")


OPERANDS = [
    ("after=c,x", "after=c,y", "12: a: there is no operation 'y' to wait for"),
    ("p softmax 0 heads=4 after=s", "p softmax 0 heads=4 after=q", "10: p: takes attention scores, but q is a linear"),
    ("p softmax 0 heads=4", "p softmax 0 heads=2", "10: p: has heads=2, but s has heads=4\n11: c: has heads=4, but p has heads=2"),
    ("after=p,v", "after=v,v", "11: c: takes attention scores, but v is a linear"),
    ("after=c,x", "after=p,x", "12: a: takes 8 elements a token (width=8), but p gives attention scores"),
    ("k linear 0 rows=8", "k linear 0 rows=9", "7: k: takes 9 elements a token (rows=9), but x gives 8"),
    ("a add 0 width=8", "a add 0 width=7", "12: a: takes 7 elements a token (width=7), but c gives 8\n12: a: takes 7 elements a token (width=7), but x gives 8\n13: h: takes 8 elements a token (rows=8), but a gives 7"),
    ("k linear 0 rows=8 columns=4", "k linear 0 rows=8 columns=8", "9: s: takes 4 elements a token (kv_heads=2 x head_size=2), but k gives 8"),
    ("v linear 0 rows=8 columns=4", "v linear 0 rows=8 columns=8", "11: c: takes 4 elements a token (kv_heads=2 x head_size=2), but v gives 8"),
    ("q linear 0 rows=8 columns=8", "q linear 0 rows=8 columns=6", "9: s: takes 8 elements a token (heads=4 x head_size=2), but q gives 6"),
    ("a add 0 width=8 after=c,x", "a rotary 0 heads=3 head_size=2 after=c", "12: a: takes 6 elements a token (heads=3 x head_size=2), but c gives 8\n13: h: takes 8 elements a token (rows=8), but a gives 6"),
    ("k linear 0 rows=8 columns=4 after=x", "k linear 0 rows=8 columns=4 last after=x", "9: s: works on all tokens, but k gives the last one only"),
    ("h linear -", "h linear 2", "13: h: layer 2 is given but layer 1 is not: layers count 0, 1, 2, ... without gaps"),
    ("h linear - rows=8 columns=100", "h linear - rows=8 columns=100 expert=0", "13: h: expert=0 needs a header line 'experts count=N active=K seed=S routing=uniform'"),
    ("q linear 0 rows=8 columns=8 after=x", "q linear 0 rows=8 columns=8 after=q", "6: q: a cycle: q waits for q"),
    ("q linear 0 rows=8 columns=8 after=x", "q linear 0 rows=8 columns=8 after=a", "6: q: a cycle: q waits for a waits for c waits for p waits for s waits for q"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "finding"), OPERANDS)
def test_operations_that_do_not_fit(old: str, new: str, finding: str) -> None:
    assert findings(changed(GOOD, old, new)) == finding.splitlines()


EXPERTS = [
    ("expert=1", "expert=2", "10: e1: expert: given 2, allowed is 0 to 1\n11: y: takes one operand of each expert, 0 first, given those of 0, 2"),
    ("t route 0 width=2 after=r\n", "", "8: e0: there is no route operation in layer 0 to choose experts"),
    ("after=e0,e1", "after=e1,e0", "11: y: takes one operand of each expert, 0 first, given those of 1, 0"),
    ("after=e0,e1", "after=e0,x", "11: y: takes one operand of each expert, 0 first, given those of 0, -"),
    ("count=2", "count=3", "11: y: given 2 operands, allowed is one of each of 3 experts"),
    ("expert=1 after=x", "expert=1 after=e0", "10: e1: works on the tokens of expert 1, but e0 on those of expert 0"),
    ("r linear 0 rows=8 columns=2 after=x", "r linear 0 rows=8 columns=2 after=e0", "7: r: works on all tokens, but e0 on those of expert 0"),
    ("active=1", "active=0", "4: active: given '0', allowed is a whole number from 1 to 4096"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "finding"), EXPERTS)
def test_experts_that_do_not_fit(old: str, new: str, finding: str) -> None:
    assert findings(changed(MOE, old, new)) == finding.splitlines()


def test_decode_under_full_attention() -> None:
    text = changed(GOOD, "causal", "full").replace("prefill tokens=3", "decode steps=2 context=3")
    assert findings(text) == ["4: a decode phase needs attention causal, given full"]


def test_all_findings_at_once_in_the_order_of_their_lines() -> None:
    text = changed(GOOD, "tiny", "4bit").replace("k linear", "k linaer").replace("after=c,x", "after=c,xx")
    assert findings(text) == [
        "2: model: given '4bit', allowed are letters, digits and _ . - /, a letter first",
        "7: k: unknown kind 'linaer' (did you mean 'linear'?)",
        "12: a: there is no operation 'xx' to wait for",
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
        (b"\xef\xbb\xbfarchsim-trace 1\n", r"1: is not a trace: begins with '\ufeffarchsim-trace 1', a trace begins with 'archsim-trace 1'"),
    ],
)  # fmt: skip
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
