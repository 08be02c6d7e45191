"""Parameter counts against those that are published."""

import pytest

from archsim.errors import TraceError
from archsim.workload.models import ALIASES, MODELS, find_model, parameters

# Exact counts follow from the shapes. V vocabulary, P positions, h hidden, L layers, f FFN, kv = KV heads
# x head size. A BERT, ViT or GPT-2 layer: four h x h matrices, two h x f, their biases 4h + f + h, two
# LayerNorms of 2h each: 4h^2 + 2hf + 9h + f, with f = 4h: 12h^2 + 13h.
EXACT = {
    # (30522 + 512 + 2) 768 + 2*768 + 12 (12*768^2 + 13*768) + pooler 768^2 + 768
    "bert_base": 23_835_648 + 1_536 + 12 * 7_087_872 + 590_592,
    # (30522 + 512 + 2) 1024 + 2*1024 + 24 (12*1024^2 + 13*1024) + pooler 1024^2 + 1024
    "bert_large": 31_780_864 + 2_048 + 24 * 12_596_224 + 1_049_600,
    # (50257 + 1024) 768 + 12 (12*768^2 + 13*768) + final norm 2*768; the head is the table
    "gpt2": 39_383_808 + 12 * 7_087_872 + 1_536,
    # the same with h = 1024, L = 24; h = 1280, L = 36; h = 1600, L = 48
    "gpt2_medium": 52_511_744 + 24 * 12_596_224 + 2_048,
    "gpt2_large": 65_639_680 + 36 * 19_677_440 + 2_560,
    "gpt2_xl": 82_049_600 + 48 * 30_740_800 + 3_200,
    # Llama: V h + L (2 h^2 + 2 h kv + 3 h f + 2 h) + h
    # 128256*2048 + 16 (8388608 + 2*2048*512 + 3*2048*8192 + 4096) + 2048
    "llama3_2_1b": 262_668_288 + 16 * (8_388_608 + 2_097_152 + 50_331_648 + 4_096) + 2_048,
    # 128256*3072 + 28 (18874368 + 2*3072*1024 + 3*3072*8192 + 6144) + 3072
    "llama3_2_3b": 394_002_432 + 28 * (18_874_368 + 6_291_456 + 75_497_472 + 6_144) + 3_072,
    # table and head apart: 2*128256*4096 + 32 (33554432 + 2*4096*1024 + 3*4096*14336 + 8192) + 4096
    "llama3_1_8b": 1_050_673_152 + 32 * (33_554_432 + 8_388_608 + 176_160_768 + 8_192) + 4_096,
    # patches 768*768 + 768, class token 768, positions 197*768, layers, final norm, classifier 769*1000
    "vit_base": 590_592 + 768 + 151_296 + 12 * 7_087_872 + 1_536 + 769_000,
    "deit_base": 86_567_656,
    # h = 384: 768*384 + 384, 384, 197*384, 12 (12*384^2 + 13*384), 768, 385*1000
    "deit_small": 295_296 + 384 + 75_648 + 12 * 1_774_464 + 768 + 385_000,
    # h = 192
    "deit_tiny": 147_648 + 192 + 37_824 + 12 * 444_864 + 384 + 193_000,
    # (30522 + 512 + 2) 384 + 768 + 6 (12*384^2 + 13*384) + 384^2 + 384
    "minilm": 11_917_824 + 768 + 6 * 1_774_464 + 147_840,
    # 151936*896 + 24 (2*896^2 + 2*896*128 + biases 896 + 2*128 + 3*896*4864 + 2*896) + 896
    "qwen2_5_0_5b": 136_134_656 + 24 * (1_605_632 + 229_376 + 1_152 + 13_074_432 + 1_792) + 896,
    # 2*32000*4096 + 32 (33554432 + 8388608 + router 4096*8 + 8*3*4096*14336 + 8192) + 4096
    "mixtral_8x7b": 262_144_000 + 32 * (33_554_432 + 8_388_608 + 32_768 + 1_409_286_144 + 8_192) + 4_096,
}

# As the models' papers and cards print them, to the printed precision.
PRINTED = {
    "bert_base": "109.5 M",
    "bert_large": "335.1 M",
    "gpt2": "124.4 M",
    "gpt2_medium": "354.8 M",
    "gpt2_large": "774.0 M",
    "gpt2_xl": "1557.6 M",
    "llama3_2_1b": "1.236 B",
    "llama3_2_3b": "3.213 B",
    "llama3_1_8b": "8.030 B",
    "vit_base": "86.57 M",
    "deit_base": "86.57 M",
    "deit_small": "22.05 M",
    "deit_tiny": "5.72 M",
    "minilm": "22.7 M",
    "qwen2_5_0_5b": "0.494 B",
    "mixtral_8x7b": "46.70 B",
}


@pytest.mark.parametrize("name", MODELS)
def test_exact_parameters(name: str) -> None:
    assert parameters(MODELS[name]) == EXACT[name]


@pytest.mark.parametrize("name", MODELS)
def test_printed_parameters(name: str) -> None:
    number, unit = PRINTED[name].split()
    decimals = len(number.partition(".")[2])
    scale = {"M": 1e6, "B": 1e9}[unit]
    assert f"{parameters(MODELS[name]) / scale:.{decimals}f}" == number


def test_every_shape_has_a_source() -> None:
    assert all(len(shape.source) > 10 for shape in MODELS.values())


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("BERT-Large", "bert_large"),
        ("Llama-3.2-1B", "llama3_2_1b"),
        ("ViT-B/16", "vit_base"),
        ("GPT2-XL", "gpt2_xl"),
        ("Qwen2.5-0.5B", "qwen2_5_0_5b"),
        ("all-MiniLM-L6-v2", "minilm"),
        ("Mixtral-8x7B", "mixtral_8x7b"),
    ],
)
def test_names_as_people_write_them(written: str, name: str) -> None:
    assert find_model(written).name == name


def test_aliases_lead_to_models() -> None:
    assert set(ALIASES.values()) <= set(MODELS)
    assert not set(ALIASES) & set(MODELS)


def test_unknown_model() -> None:
    with pytest.raises(TraceError) as error:
        find_model("bert_lage")
    assert str(error.value) == (
        "unknown model 'bert_lage' (did you mean 'bert_large'?); known are bert_base, bert_large, gpt2, "
        "gpt2_medium, gpt2_large, gpt2_xl, llama3_2_1b, llama3_2_3b, llama3_1_8b, vit_base, deit_base, "
        "deit_small, deit_tiny, minilm, qwen2_5_0_5b, mixtral_8x7b"
    )
