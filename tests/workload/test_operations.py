"""What a trace says of its operations: its sections, and what feeds them."""

from __future__ import annotations

import pytest

from archsim.workload.generate import generate
from archsim.workload.operations import Operation, Phase, Precision, Trace


def test_sections_of_a_model_with_a_head() -> None:
    sections = generate("gpt2", tokens=8).sections
    assert [section.name for section in sections] == [
        "embedding",
        *(f"l{layer}" for layer in range(12)),
        "lm_head",
    ]
    assert [section.neighbour for section in sections] == [0, *[None] * 12, 11]
    assert sections[0].layer is None
    assert [op.id for op in sections[-1].operations] == ["final_norm", "lm_head", "argmax"]


def test_equal_layers_have_equal_content() -> None:
    sections = generate("llama3_2_1b", tokens=8).sections
    assert len({section.content for section in sections}) == 3


def test_layers_come_in_the_order_in_which_they_first_appear() -> None:
    operations = (
        Operation("a", "gelu", 0, width=4),
        Operation("b", "gelu", 1, ("a",), width=4),
        Operation("c", "gelu", 0, ("a",), width=4),
        Operation("between", "gelu", None, ("b",), width=4),
        Operation("d", "gelu", 1, ("c",), width=4),
    )
    trace = Trace("toy", "full", 1, Precision(), (Phase("prefill", 3),), operations)
    found = [(section.name, [op.id for op in section.operations]) for section in trace.sections]
    assert found == [("l0", ["a", "c"]), ("l1", ["b", "d"]), ("between", ["between"])]


def test_the_first_of_equal_layers_is_the_model_of_the_others() -> None:
    trace = generate("gpt2", tokens=8)
    assert [model.name for model in trace.models] == ["embedding", *["l0"] * 12, "lm_head"]


def trace_of(*operations: Operation) -> Trace:
    return Trace("toy", "full", 1, Precision(), (Phase("prefill", 3),), operations)


def vector(name: str, layer: int | None, *after: str, kind: str = "add") -> Operation:
    return Operation(name, kind, layer, after, width=4)


def test_consumers_are_named_once() -> None:
    trace = trace_of(vector("a", 0), vector("b", 0, "a", "a"), vector("c", 1, "a"))
    assert trace.consumers == {"a": {"b", "c"}, "b": set(), "c": set()}


def test_outputs_are_the_results_that_no_operation_takes_but_for_choices_of_experts() -> None:
    choice = vector("r", 0, "a", kind="route")
    trace = trace_of(vector("a", 0), vector("b", 0, "a"), vector("c", 0, "a"), choice)
    assert [op.id for op in trace.outputs] == ["b", "c"]


# places are those of l0's two operations, then those of l1's own
def test_a_section_is_fed_by_the_one_before_and_by_itself() -> None:
    first = [vector("a", 0), vector("b", 0, "a")]
    trace = trace_of(*first, vector("c", 1, "b"), vector("d", 1, "c", "a"))
    assert trace.feeds == (None, [[1], [2, 0]])


@pytest.mark.parametrize(
    "second",
    [
        [vector("c", 1, "b"), vector("d", 1)],
        [vector("c", 1, "b", kind="route")],
        [Operation("c", "add", 1, ("b",), width=4, expert=0)],
        [vector("c", 1, "a")],
    ],
    ids=["an input of the trace", "routing", "an expert", "a result that nothing takes"],
)
def test_where_a_section_is_fed_otherwise_it_is_not_said(second: list[Operation]) -> None:
    trace = trace_of(vector("a", 0), vector("b", 0, "a"), *second)
    assert trace.feeds == (None, None)


def test_a_section_that_skips_the_one_before_is_fed_otherwise() -> None:
    trace = trace_of(vector("a", 0), vector("b", 1, "a"), vector("c", 2, "b", "a"))
    assert trace.feeds == (None, None, None)
