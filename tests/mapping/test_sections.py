"""Sections of a trace, and the tokens that go through them."""

from __future__ import annotations

from fractions import Fraction

from archsim.mapping.sections import sections_of, traffic_of
from archsim.workload.generate import generate
from archsim.workload.operations import Operation, Phase, Precision, Trace


def test_sections_of_a_model_with_a_head() -> None:
    sections = sections_of(generate("gpt2", tokens=8))
    assert [section.name for section in sections] == [
        "embedding",
        *(f"l{layer}" for layer in range(12)),
        "lm_head",
    ]
    assert [section.neighbour for section in sections] == [0, *[None] * 12, 11]
    assert sections[0].layer is None
    assert [op.id for op in sections[-1].operations] == ["final_norm", "lm_head", "argmax"]


def test_equal_layers_have_equal_content() -> None:
    sections = sections_of(generate("llama3_2_1b", tokens=8))
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
    found = [(section.name, [op.id for op in section.operations]) for section in sections_of(trace)]
    assert found == [("l0", ["a", "c"]), ("l1", ["b", "d"]), ("between", ["between"])]


# 2 sequences: 100 prefill tokens and 20 steps each; heads see the last prefill token and the 20 steps
def test_traffic_of_a_prefill_and_a_decode() -> None:
    traffic = traffic_of(generate("llama3_2_1b", tokens=100, decode=20, batch=2))
    assert traffic.tokens == 240
    assert traffic.last_tokens == 42
    assert traffic.together == 200
    assert traffic.keys == 120
    assert traffic.through(Operation("head", "linear", None, last=True)) == 42


def test_traffic_of_a_decode_alone() -> None:
    traffic = traffic_of(generate("gpt2", tokens=0, decode=10, context=50, batch=3))
    assert (traffic.tokens, traffic.together, traffic.keys) == (30, 3, 60)


# 2 of 8 experts: each sees a quarter of 64 tokens
def test_experts_see_their_share_of_the_tokens() -> None:
    traffic = traffic_of(generate("mixtral_8x7b", tokens=64))
    assert traffic.through(Operation("e", "linear", 0, expert=3)) == 16
    assert traffic.expert_share == Fraction(1, 4)
