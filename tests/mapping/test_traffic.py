"""The tokens that go through the operations of a trace."""

from __future__ import annotations

from fractions import Fraction

from archsim.mapping.traffic import traffic_of
from archsim.workload.generate import generate
from archsim.workload.operations import Operation


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
