"""Shares of a layer on its PUs, and what each step takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.mapping.factors import hard_threshold_rank
from archsim.mapping.parallel import Rules, steps_of
from archsim.mapping.plan import Group, Step
from archsim.workload.generate import generate
from archsim.workload.operations import Operation

EXECUTORS = {"linear": "analog", "attention": "digital", "nonlinear": "sfu", "embedding": "host"}


def rules(svd: str = "none") -> Rules:
    return Rules(EXECUTORS, "analog", ("slc", "mlc"), svd, Fraction(1, 20), 8)  # type: ignore[arg-type]


def layer(model: str, number: int = 0) -> list[Operation]:
    return [op for op in generate(model, tokens=8).operations if op.layer == number]


def steps_by_id(operations: Sequence[Operation], pus: int, svd: str = "none") -> dict[str, Step]:
    steps = steps_of(operations, tuple(range(pus)), rules(svd))
    return {f"{step.op.id}.{step.factor}" if step.factor else step.op.id: step for step in steps}


def flow(step: Step) -> tuple[str, str]:
    return step.takes, step.gives


def columns(step: Step) -> list[int]:
    return [share.columns if share else 0 for share in step.shares]


def rows(step: Step) -> list[int]:
    return [share.rows if share else 0 for share in step.shares]


def heads(step: Step) -> list[tuple[int, int]]:
    return [(share.heads, share.kv_heads) if share else (0, 0) for share in step.shares]


@pytest.mark.parametrize("svd", ["none", "hard_threshold"])
def test_one_pu_does_everything_whole(svd: str) -> None:
    for step in steps_of(layer("llama3_2_1b"), (7,), rules(svd)):
        assert flow(step) == ("root", "root")
        assert step.pus == (7,)
        assert len(step.shares) == 1


def test_embeddings_are_the_hosts() -> None:
    step = steps_by_id([Operation("wte", "embedding", None, width=8, vocabulary=9)], 2)["wte"]
    assert (step.part, *flow(step)) == ("host", "root", "root")


# BERT-Base on 2 PUs: 12 heads of 64 = 6 a PU; ffn1 3072 = 1536 a PU
def test_the_flow_of_a_layer_without_svd() -> None:
    steps = steps_by_id(layer("bert_base"), 2)
    assert {name.removeprefix("l0."): flow(step) for name, step in steps.items()} == {
        "q": ("whole", "split"),
        "k": ("whole", "split"),
        "v": ("whole", "split"),
        "scores": ("split", "split"),
        "softmax": ("split", "split"),
        "context": ("split", "split"),
        "o": ("split", "partial"),
        "attention_add": ("root", "root"),
        "attention_norm": ("root", "root"),
        "ffn1": ("whole", "split"),
        "gelu": ("split", "split"),
        "ffn2": ("split", "partial"),
        "ffn_add": ("root", "root"),
        "ffn_norm": ("root", "root"),
    }
    assert columns(steps["l0.q"]) == [384, 384]
    assert heads(steps["l0.scores"]) == [(6, 6), (6, 6)]
    assert rows(steps["l0.o"]) == [384, 384]
    assert columns(steps["l0.o"]) == [768, 768]
    assert len(steps["l0.ffn_add"].shares) == 1


# ranks: q 768 * 768 / 1536 = 384, 192 a PU; ffn2 3072 * 768 / 3840 = 614
def test_the_flow_of_factors() -> None:
    steps = steps_by_id(layer("bert_base"), 2, "hard_threshold")
    assert flow(steps["l0.q"]) == ("whole", "split")
    assert columns(steps["l0.q"]) == [192, 192]
    assert flow(steps["l0.q.1"]) == ("whole", "split")
    assert rows(steps["l0.q.1"]) == [384, 384]
    assert columns(steps["l0.q.1"]) == [384, 384]
    assert flow(steps["l0.ffn2"]) == ("split", "partial")
    assert rows(steps["l0.ffn2"]) == [1536, 1536]
    assert columns(steps["l0.ffn2"]) == [614, 614]
    assert flow(steps["l0.ffn2.1"]) == ("whole", "split")
    assert columns(steps["l0.ffn2.1"]) == [384, 384]
    assert flow(steps["l0.ffn_add"]) == ("root", "root")


# Llama-3.2-1B: 32 heads on 8 KV heads of 64, 4 heads each; on 3 PUs 3 + 3 + 2 KV heads
def test_heads_are_dealt_by_kv_heads_in_uneven_shares() -> None:
    steps = steps_by_id(layer("llama3_2_1b"), 3)
    assert columns(steps["l0.q"]) == [768, 768, 512]
    assert columns(steps["l0.k"]) == columns(steps["l0.v"]) == [192, 192, 128]
    assert heads(steps["l0.scores"]) == [(12, 3), (12, 3), (8, 2)]
    assert heads(steps["l0.context"]) == [(12, 3), (12, 3), (8, 2)]
    assert [share and share.heads for share in steps["l0.softmax"].shares] == [12, 12, 8]
    assert [share and share.heads for share in steps["l0.k_rotary"].shares] == [3, 3, 2]
    assert rows(steps["l0.o"]) == [768, 768, 512]
    assert columns(steps["l0.gate"]) == [2731, 2731, 2730]
    assert flow(steps["l0.multiply"]) == ("split", "split")


def test_pus_beyond_the_kv_heads_have_no_part_in_attention() -> None:
    steps = steps_by_id(layer("llama3_2_1b"), 10)
    for name in ("q", "k", "v", "k_rotary", "scores", "softmax", "context", "o"):
        shares = steps[f"l0.{name}"].shares
        assert [share is not None for share in shares] == [True] * 8 + [False] * 2, name
    assert steps["l0.q"].held[8:] == (None, None)
    assert all(steps["l0.gate"].held)


# two classes on 4 PUs: two of them have nothing to do
def test_fewer_columns_than_pus() -> None:
    head = Operation("classes", "linear", None, rows=16, columns=2)
    assert columns(steps_by_id([head], 4)["classes"]) == [1, 1, 0, 0]


def test_argmax_of_a_split_value_stays_split() -> None:
    operations = [op for op in generate("gpt2", tokens=8).operations if op.last]
    step = steps_by_id(operations, 2)["argmax"]
    assert flow(step) == ("split", "split")
    assert [share and share.width for share in step.shares] == [25129, 25128]


def test_a_sum_of_two_split_values_stays_split() -> None:
    operations = [
        Operation("a", "linear", 0, rows=8, columns=6),
        Operation("b", "linear", 0, rows=8, columns=6),
        Operation("sum", "add", 0, ("a", "b"), width=6),
    ]
    assert flow(steps_by_id(operations, 2)["sum"]) == ("split", "split")


def test_attention_of_values_that_are_not_split_by_heads_runs_on_the_root() -> None:
    operations = [
        Operation("x", "layernorm", 0, width=8),
        Operation("scores", "attention_scores", 0, ("x", "x"), heads=2, kv_heads=2, head_size=4),
    ]
    assert flow(steps_by_id(operations, 2)["scores"]) == ("root", "root")


def test_experts_split_like_any_gated_ffn() -> None:
    steps = steps_by_id(layer("mixtral_8x7b"), 4)
    assert columns(steps["l0.e3.gate"]) == [3584] * 4
    assert flow(steps["l0.e3.down"]) == ("split", "partial")
    assert flow(steps["l0.combine"]) == ("root", "root")


def test_stored_matrices_have_names_of_their_own() -> None:
    steps = steps_of(layer("bert_base"), (0, 1), rules("hard_threshold"))
    names = [held.stored.name for step in steps for held in step.held[:1] if held]
    assert names[:2] == ["l0.q.0", "l0.q.1"]
    assert len(set(names)) == len(names) == 12


@pytest.mark.parametrize("pus", [1, 3])
def test_the_steps_of_a_group_are_those_of_an_equal_one_with_its_own_names_and_pus(pus: int) -> None:
    trace = generate("mixtral_8x7b", tokens=8)
    first, second = ([op for op in trace.operations if op.layer == number] for number in (0, 1))
    where = tuple(range(5, 5 + pus))
    steps = steps_of(first, tuple(range(pus)), rules("hard_threshold"))
    group = Group("l1", 1, where, tuple(second), steps, slots=1, bytes_per_inference=0)
    assert group.steps == steps_of(second, where, rules("hard_threshold"))


@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 8),
    st.integers(1, 60),
    st.integers(1, 9),
    st.sampled_from(["none", "hard_threshold"]),
)
def test_shares_sum_to_the_operation(kv: int, each: int, size: int, hidden: int, pus: int, svd: str) -> None:
    queries, keys = kv * each * size, kv * size
    shape: dict[str, Any] = {"heads": kv * each, "kv_heads": kv, "head_size": size}
    operations = [
        Operation("q", "linear", 0, rows=hidden, columns=queries),
        Operation("k", "linear", 0, rows=hidden, columns=keys),
        Operation("v", "linear", 0, rows=hidden, columns=keys),
        Operation("scores", "attention_scores", 0, ("q", "k"), **shape),
        Operation("softmax", "softmax", 0, ("scores",), heads=kv * each),
        Operation("context", "attention_context", 0, ("softmax", "v"), **shape),
        Operation("o", "linear", 0, ("context",), rows=queries, columns=hidden),
    ]
    macs: dict[str, int] = {}
    for step in steps_of(operations, tuple(range(pus)), rules(svd)):
        macs[step.op.id] = macs.get(step.op.id, 0) + sum(share.macs(5) for share in step.shares if share)
    for op in operations:
        rank = hard_threshold_rank(op.rows, op.columns) if op.rows and svd != "none" else 0
        assert macs[op.id] == (rank * (op.rows + op.columns) if rank else op.macs(5))


def test_columns_in_place_of_rows_gather_the_input_and_leave_no_partial_sums() -> None:
    # o takes the heads' outputs, which are split: by rows it leaves partial sums for the global bus,
    # by columns every PU gets the whole vector over the interconnect and computes outputs of its own
    by_columns = steps_of(layer("bert_base"), (0, 1), replace(rules(), tensor_split="columns"))
    assert flow(steps_by_id(layer("bert_base"), 2)["l0.o"]) == ("split", "partial")
    assert {flow(step) for step in by_columns if step.op.kind == "linear"} == {("whole", "split")}
