"""Generated traces: their weights, phases, heads, and the requests that are refused."""

from pathlib import Path
from typing import Any

import pytest

from archsim.errors import TraceError
from archsim.workload.generate import Request, generate, trace_text
from archsim.workload.models import MODELS, VIT_CLASSES, VIT_INPUTS, ModelShape
from archsim.workload.operations import Experts, Phase, Trace
from archsim.workload.trace import read_trace


def kinds(trace: Trace, layer: int | None) -> list[str]:
    return [op.kind for op in trace.operations if op.layer == layer]


def shape_line(trace: Trace, name: str) -> tuple[int, int]:
    op = trace.by_id[name]
    return op.rows, op.columns


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_reads_back(name: str, head: bool, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.trace"
    path.write_text(trace_text(Request(name, head=head)))
    assert read_trace(path) == generate(name, head=head)


def layer_weights(shape: ModelShape) -> int:
    """Weights of the matrices of one layer: those of the parameter count less biases and norms."""
    attention = 2 * shape.hidden * (shape.query_width + shape.key_width)
    matrices = 3 if shape.architecture == "llama" else 2
    router = shape.hidden * shape.experts if shape.experts > 1 else 0
    return attention + router + shape.experts * matrices * shape.hidden * shape.ffn


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_the_layers(name: str) -> None:
    shape = MODELS[name]
    trace = generate(name)
    assert trace.layers == shape.layers
    for layer in range(shape.layers):
        assert sum(op.weights for op in trace.operations if op.layer == layer) == layer_weights(shape)


@pytest.mark.parametrize("name", MODELS)
def test_weights_outside_the_layers(name: str) -> None:
    shape = MODELS[name]
    h = shape.hidden
    outer = {
        "bert": h * h,
        "vit": VIT_INPUTS * h + h * VIT_CLASSES,
        "gpt2": h * shape.vocabulary,
        "llama": h * shape.vocabulary,
    }[shape.architecture]
    assert sum(op.weights for op in generate(name).operations if op.layer is None) == outer


@pytest.mark.parametrize("name", MODELS)
def test_no_head_leaves_out_the_last_operations_only(name: str) -> None:
    whole, layers = generate(name).operations, generate(name, head=False).operations
    assert whole[: len(layers)] == layers
    assert all(op.last and op.layer is None for op in whole[len(layers) :])
    assert not any(op.last for op in layers)
    assert layers[-1].layer == MODELS[name].layers - 1


def test_bert_layer_norms_after_its_halves() -> None:
    trace = generate("bert_base")
    attention = ["linear"] * 3 + [
        "attention_scores",
        "softmax",
        "attention_context",
        "linear",
        "add",
        "layernorm",
    ]
    assert kinds(trace, 0) == [*attention, "linear", "gelu", "linear", "add", "layernorm"]
    assert kinds(trace, None) == ["embedding", "layernorm", "linear", "tanh"]
    assert trace.by_id["l0.attention_add"].after == ("l0.o", "embedding_norm")
    assert trace.by_id["l1.q"].after == ("l0.ffn_norm",)
    assert trace.attention == "full"


def test_gpt2_layer_norms_before_its_halves() -> None:
    trace = generate("gpt2")
    attention = ["layernorm"] + ["linear"] * 3
    attention += ["attention_scores", "softmax", "attention_context", "linear", "add"]
    assert kinds(trace, 0) == [*attention, "layernorm", "linear", "gelu", "linear", "add"]
    assert kinds(trace, None) == ["embedding", "layernorm", "linear", "argmax"]
    assert trace.by_id["l1.attention_add"].after == ("l1.o", "l0.ffn_add")
    assert shape_line(trace, "lm_head") == (768, 50257)
    assert trace.attention == "causal"


def test_vit_embeds_patches_without_its_head_too() -> None:
    trace = generate("vit_base", head=False)
    assert kinds(trace, None) == ["linear"]
    assert shape_line(trace, "patch_embedding") == (768, 768)
    assert trace.by_id["patch_embedding"].after == ()
    assert shape_line(generate("deit_tiny"), "classifier") == (192, 1000)


def test_llama_has_fewer_kv_heads() -> None:
    trace = generate("llama3_2_1b")
    assert shape_line(trace, "l0.q") == (2048, 2048)
    assert shape_line(trace, "l0.k") == shape_line(trace, "l0.v") == (2048, 512)
    scores = trace.by_id["l0.scores"]
    assert (scores.heads, scores.kv_heads, scores.head_size) == (32, 8, 64)
    assert scores.after == ("l0.q_rotary", "l0.k_rotary")
    # gate, up, down 3*2048*8192, q and o 2*2048*2048, k and v 2*2048*512
    assert sum(op.weights for op in trace.operations if op.layer == 0) == 60_817_408


def test_mixtral_experts() -> None:
    trace = generate("mixtral_8x7b")
    assert trace.experts == Experts(count=8, active=2, seed=0)
    experts = [op for op in trace.operations if op.layer == 0 and op.expert is not None]
    assert [op.expert for op in experts] == [expert for expert in range(8) for _ in range(5)]
    assert [op.id for op in experts[:5]] == [f"l0.e0.{n}" for n in ("gate", "up", "silu", "multiply", "down")]
    assert trace.by_id["l0.combine"].after == tuple(f"l0.e{expert}.down" for expert in range(8))
    assert shape_line(trace, "l0.router") == (4096, 8)
    assert trace.by_id["l0.route"].after == ("l0.router",)


@pytest.mark.parametrize(
    ("arguments", "phases"),
    [
        ({}, (Phase("prefill", tokens=1024),)),
        ({"tokens": 7}, (Phase("prefill", tokens=7),)),
        ({"tokens": 7, "decode": 3}, (Phase("prefill", tokens=7), Phase("decode", steps=3, context=7))),
        (
            {"tokens": 7, "decode": 3, "context": 7},
            (Phase("prefill", tokens=7), Phase("decode", steps=3, context=7)),
        ),
        ({"tokens": 0, "decode": 3, "context": 9}, (Phase("decode", steps=3, context=9),)),
        ({"decode": 3, "context": 9}, (Phase("decode", steps=3, context=9),)),
        ({"decode": 3}, (Phase("prefill", tokens=1024), Phase("decode", steps=3, context=1024))),
    ],
)
def test_phases(arguments: dict[str, Any], phases: tuple[Phase, ...]) -> None:
    assert generate("gpt2", **arguments).phases == phases


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        (Request("Llama-3.2-1B"), "archsim trace llama3_2_1b --tokens 100"),
        (Request("gpt2", decode=3, context=9), "archsim trace gpt2 --tokens 0 --decode 3 --context 9"),
        (Request("minilm", batch=4, head=False), "archsim trace minilm --tokens 128 --batch 4 --no-head"),
    ],
)
def test_command(request_: Request, command: str) -> None:
    assert trace_text(request_).splitlines()[1] == f"# {command}"


@pytest.mark.parametrize(
    ("request_", "note"),
    [
        (Request("bert_large", tokens=1024), "1024 positions, bert_large has learned 512"),
        (Request("gpt2", tokens=1000, decode=25), "1025 positions, gpt2 has learned 1024"),
        (Request("gpt2", decode=1, context=2000), "2001 positions, gpt2 has learned 1024"),
    ],
)
def test_beyond_the_learned_positions(request_: Request, note: str) -> None:
    assert trace_text(request_).splitlines()[2] == f"# beyond the published shape: {note}"


@pytest.mark.parametrize(
    "request_", [Request("bert_large", tokens=512), Request("gpt2"), Request("llama3_2_1b", tokens=9999)]
)
def test_within_the_learned_positions(request_: Request) -> None:
    assert "beyond" not in trace_text(request_)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("bert", {}, "unknown model 'bert'"),
        ("gpt2", {"tokens": -1}, "tokens: given -1, allowed is a whole number from 0 to 10000000"),
        ("gpt2", {"tokens": 1.5}, "tokens: given 1.5, allowed is a whole number from 0 to 10000000"),
        ("gpt2", {"tokens": 10**9}, "tokens: given 1000000000, allowed is a whole number from 0 to 10000000"),
        (
            "gpt2",
            {"batch": 0, "decode": -2},
            "decode: given -2, allowed is a whole number from 0 to 10000000\n"
            "batch: given 0, allowed is a whole number from 1 to 10000000",
        ),
        ("gpt2", {"tokens": 0}, "tokens: given 0 without decode steps: there is nothing to run"),
        (
            "gpt2",
            {"tokens": 0, "decode": 1},
            "context: not given; decode steps without a prefill need the keys in the cache",
        ),
        ("gpt2", {"context": 5}, "context: given 5 without decode steps; ask for decode too"),
        (
            "gpt2",
            {"tokens": 7, "decode": 1, "context": 5},
            "context: given 5, but the prefill of 7 tokens leaves 7 keys in the cache; leave context out, or "
            "ask for 0 tokens",
        ),
        (
            "bert_base",
            {"decode": 4},
            "decode: given 4, but bert_base is an encoder: every token attends to all others, so that none "
            "is decoded",
        ),
        (
            "deit_small",
            {"tokens": 100},
            "tokens: given 100, allowed is 197: the patches of a 224 x 224 image and the class token",
        ),
    ],
)
def test_refused(model: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TraceError) as error:
        generate(model, **arguments)
    assert str(error.value).startswith(message)
    assert "unknown model" in message or str(error.value) == message
