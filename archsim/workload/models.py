"""The shapes of public transformer models, and how many parameters each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archsim.errors import TraceError, did_you_mean

Architecture = Literal["bert", "vit", "gpt2", "llama"]

VIT_TOKENS = 197
"""14 x 14 patches of 16 x 16 pixels of a 224 x 224 image, and the class token."""

VIT_INPUTS = 16 * 16 * 3
"""Pixels times colours of one patch."""

VIT_CLASSES = 1000
"""ImageNet-1k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """What a model looks like, as its public configuration states it.

    Args: architecture: ``bert`` (post-norm encoder), ``vit`` (pre-norm encoder of image patches),
        ``gpt2`` (pre-norm decoder) or ``llama`` (rotary decoder with RMSNorm and a gated FFN);
        ffn: width inside the FFN, or inside one expert; tokens: of a prefill when none are asked for;
        positions: learned ones, 0 for rotary; qkv_bias: of a ``llama`` (the others have all biases);
        tied: the LM head is the embedding table; source: where the shape is published.
    """

    name: str
    architecture: Architecture
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    tokens: int
    source: str
    vocabulary: int = 0
    positions: int = 0
    token_types: int = 0
    qkv_bias: bool = False
    tied: bool = True
    experts: int = 1
    active: int = 1

    @property
    def query_width(self) -> int:
        """Elements of a token's query."""
        return self.heads * self.head_size

    @property
    def key_width(self) -> int:
        """Elements of a token's key, and of its value."""
        return self.kv_heads * self.head_size

    @property
    def decoder(self) -> bool:
        """Whether a token attends to earlier ones only, so that the model can decode."""
        return self.architecture in ("gpt2", "llama")


def _bert(name: str, layers: int, hidden: int, heads: int, source: str) -> ModelShape:
    return ModelShape(
        name=name,
        architecture="bert",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        ffn=4 * hidden,
        tokens=128,
        source=source,
        vocabulary=30522,
        positions=512,
        token_types=2,
    )


def _gpt2(name: str, layers: int, hidden: int, heads: int) -> ModelShape:
    return ModelShape(
        name=name,
        architecture="gpt2",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        ffn=4 * hidden,
        tokens=1024,
        source="Radford et al., Language Models are Unsupervised Multitask Learners, 2019, table 2",
        vocabulary=50257,
        positions=1024,
    )


def _vit(name: str, hidden: int, heads: int, source: str) -> ModelShape:
    return ModelShape(
        name=name,
        architecture="vit",
        layers=12,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        ffn=4 * hidden,
        tokens=VIT_TOKENS,
        source=source,
        positions=VIT_TOKENS,
    )


def _llama(
    name: str, layers: int, hidden: int, heads: int, head_size: int, ffn: int, source: str, tied: bool = True
) -> ModelShape:
    return ModelShape(
        name=name,
        architecture="llama",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=8,
        head_size=head_size,
        ffn=ffn,
        tokens=100,
        source=source,
        vocabulary=128256,
        tied=tied,
    )


_BERT = "Devlin et al., BERT, NAACL 2019, section 3; uncased vocabulary"
_VIT = "Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, table 1"
_DEIT = "Touvron et al., Training Data-Efficient Image Transformers, ICML 2021, table 1"
_LLAMA32 = "Meta, Llama 3.2 model card and config.json, 2024"

_SHAPES = (
    _bert("bert_base", 12, 768, 12, _BERT),
    _bert("bert_large", 24, 1024, 16, _BERT),
    _gpt2("gpt2", 12, 768, 12),
    _gpt2("gpt2_medium", 24, 1024, 16),
    _gpt2("gpt2_large", 36, 1280, 20),
    _gpt2("gpt2_xl", 48, 1600, 25),
    _llama("llama3_2_1b", 16, 2048, 32, 64, 8192, _LLAMA32),
    _llama("llama3_2_3b", 28, 3072, 24, 128, 8192, _LLAMA32),
    _llama(
        "llama3_1_8b",
        32,
        4096,
        32,
        128,
        14336,
        "The Llama 3 Herd of Models, arXiv 2407.21783, table 3",
        tied=False,
    ),
    _vit("vit_base", 768, 12, _VIT),
    _vit("deit_base", 768, 12, _DEIT),
    _vit("deit_small", 384, 6, _DEIT),
    _vit("deit_tiny", 192, 3, _DEIT),
    _bert("minilm", 6, 384, 12, "Wang et al., MiniLM, NeurIPS 2020; config.json of all-MiniLM-L6-v2"),
    ModelShape(
        name="qwen2_5_0_5b",
        architecture="llama",
        layers=24,
        hidden=896,
        heads=14,
        kv_heads=2,
        head_size=64,
        ffn=4864,
        tokens=128,
        source="Qwen2.5 Technical Report, arXiv 2412.15115, table 1; config.json of Qwen2.5-0.5B",
        vocabulary=151936,
        qkv_bias=True,
    ),
    ModelShape(
        name="mixtral_8x7b",
        architecture="llama",
        layers=32,
        hidden=4096,
        heads=32,
        kv_heads=8,
        head_size=128,
        ffn=14336,
        tokens=128,
        source="Jiang et al., Mixtral of Experts, arXiv 2401.04088, table 1",
        vocabulary=32000,
        tied=False,
        experts=8,
        active=2,
    ),
)

MODELS: dict[str, ModelShape] = {shape.name: shape for shape in _SHAPES}

ALIASES: dict[str, str] = {
    "bert_base_uncased": "bert_base",
    "bert_large_uncased": "bert_large",
    "gpt2_s": "gpt2",
    "gpt2_small": "gpt2",
    "gpt2_m": "gpt2_medium",
    "gpt2_l": "gpt2_large",
    "llama_3_2_1b": "llama3_2_1b",
    "llama_3_2_3b": "llama3_2_3b",
    "llama_3_1_8b": "llama3_1_8b",
    "vit_b_16": "vit_base",
    "vit_b16": "vit_base",
    "deit_b": "deit_base",
    "deit_s": "deit_small",
    "deit_t": "deit_tiny",
    "minilm_l6": "minilm",
    "all_minilm_l6_v2": "minilm",
    "mixtral": "mixtral_8x7b",
}


def find_model(name: str) -> ModelShape:
    """The shape called ``name``, in any case and with ``-``, ``.`` or ``/`` for ``_``: Llama-3.2-1B.

    Raises: TraceError: when there is none.
    """
    plain = name.lower().translate(str.maketrans("-./ ", "____"))
    plain = ALIASES.get(plain, plain)
    if plain not in MODELS:
        near = did_you_mean(plain, (*MODELS, *ALIASES))
        raise TraceError(f"unknown model {name!r}{near}; known are {', '.join(MODELS)}")
    return MODELS[plain]


def parameters(shape: ModelShape) -> int:
    """Parameters of the whole model: tables, weights, biases, norms and heads; a tied head counts once.

    BERT's pooler counts, as in its published checkpoints; ViT's classifier of 1000 classes does too.
    """
    return _outer_parameters(shape) + shape.layers * _layer_parameters(shape)


def _layer_parameters(shape: ModelShape) -> int:
    h, q, kv, f = shape.hidden, shape.query_width, shape.key_width, shape.ffn
    attention = h * q + 2 * h * kv + q * h
    if shape.architecture != "llama":
        return attention + (q + 2 * kv + h) + (2 * h * f + f + h) + 2 * (2 * h)
    router = h * shape.experts if shape.experts > 1 else 0
    biases = (q + 2 * kv) if shape.qkv_bias else 0
    return attention + biases + router + shape.experts * 3 * h * f + 2 * h


def _outer_parameters(shape: ModelShape) -> int:
    h = shape.hidden
    table = (shape.vocabulary + shape.positions + shape.token_types) * h
    if shape.architecture == "bert":
        return table + 2 * h + (h * h + h)
    if shape.architecture == "gpt2":
        return table + 2 * h
    if shape.architecture == "llama":
        return table + h + (0 if shape.tied else shape.vocabulary * h)
    class_token = h
    return table + (VIT_INPUTS * h + h) + class_token + 2 * h + (h * VIT_CLASSES + VIT_CLASSES)
