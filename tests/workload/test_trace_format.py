"""docs/trace.md says what the code does."""

from pathlib import Path

import pytest

from archsim.errors import TraceError
from archsim.workload.operations import KINDS, Precision
from archsim.workload.trace import read_trace
from archsim.workload.trace_format import PRECISION_FIELDS, kinds_table

PAGE = (Path(__file__).parents[2] / "docs" / "trace.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("```trace\n")[2].partition("```")[0]


def test_the_page_has_the_table_of_kinds() -> None:
    assert kinds_table() in PAGE
    assert all(f"| `{kind}` |" in kinds_table() for kind in KINDS)


def test_the_page_has_the_default_precision() -> None:
    for name in PRECISION_FIELDS:
        assert f"`{name}` ({getattr(Precision(), name)}" in PAGE


def test_the_example_reads_and_its_numbers_are_right(tmp_path: Path) -> None:
    path = tmp_path / "tiny.trace"
    path.write_text(EXAMPLE)
    trace = read_trace(path)
    in_layer = [op for op in trace.operations if op.layer == 0]
    assert sum(op.weights for op in in_layer) == 192
    assert [op.macs(1) for op in in_layer if op.family == "attention"] == [8, 8]
    prefill, decode = trace.phases
    assert sum(range(1, prefill.tokens + 1)) == 136
    assert [decode.context + 1 + step for step in range(decode.steps)] == [17, 18, 19, 20]


def test_the_findings_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    broken = EXAMPLE.replace("tokens=16", "tokens=-16").replace("k            linear", "k linaer")
    head, tail = broken.split("\no ")
    Path("tiny.trace").write_text(head + "\no " + tail.replace("rows=8", "rows=9", 1))
    with pytest.raises(TraceError) as error:
        read_trace("tiny.trace")
    assert str(error.value) in PAGE
