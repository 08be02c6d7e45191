"""Names, numbers and colours of pictures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.report.plots.labels import Scale, named, printable, scaled, shortened, wrapped
from archsim.report.plots.palette import GREY, PALE, look, looks
from archsim.results.record import Result

NAMES = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=120)


def result(model: str = "bert", machine: str = "pim", **work: int) -> Result:
    shape = {"prefill_tokens": 128, "decode_steps": 0, "context": 0, "batch": 1, **work}
    empty: dict[str, Any] = {name: {} for name in Result.__slots__}
    return Result(**empty | {"hardware": {"name": machine}, "workload": {"model": model, **shape}})


@pytest.mark.parametrize(
    ("results", "files", "names"),
    [
        ([result()], ["a/result.json"], ["bert"]),
        ([result("bert"), result("gpt2", batch=2)], ["a", "b"], ["bert", "gpt2"]),
        ([result(machine="x"), result(machine="y")], ["a", "b"], ["x", "y"]),
        ([result("g", "x"), result("h", "y")], ["a", "b"], ["g, x", "h, y"]),
        ([result(), result(prefill_tokens=64, batch=2)], ["a", "b"], ["128 tokens", "64 tokens batch 2"]),
        (
            [result(), result(prefill_tokens=0, decode_steps=8, context=32)],
            ["a", "b"],
            ["128 tokens", "8 steps from 32"],
        ),
        ([result(), result()], ["build/a/result.json", "build/b.json"], ["a", "b"]),
        (
            [result(), result()],
            ["x/a/result.json", "y/a/result.json"],
            ["x/a/result.json", "y/a/result.json"],
        ),
        ([result(), result()], ["a", "a"], ["a #1", "a #2"]),
    ],
)
def test_results_are_named_by_what_sets_them_apart(
    results: list[Result], files: list[str], names: list[str]
) -> None:
    assert [each.name for each in named(results, files)] == names


@given(NAMES)
def test_wrapped_names_keep_their_letters(name: str) -> None:
    text = wrapped(name)
    assert all(len(line) <= 22 for line in text.split("\n"))
    if "…" not in text:
        assert "".join(text.split()) == "".join(printable(name).split())


def test_wrapping_breaks_after_separators() -> None:
    assert wrapped("a_machine_with_quite_a_name, whole") == "a_machine_with_quite_\na_name, whole"
    # 4 lines of 22 characters, less one each, keep both ends
    assert wrapped("x" * 60 + "y" * 60).replace("\n", "") == "x" * 42 + "…" + "y" * 41
    assert shortened("x" * 30 + "y" * 30) == "x" * 20 + "…" + "y" * 19


def test_names_cannot_break_their_line_or_vanish() -> None:
    assert printable("a\nb\tc") == "a b c"
    assert printable("_hidden") == " _hidden"


@pytest.mark.parametrize(
    ("largest", "unit", "base", "text"),
    [
        (5.4e10, "J", 1e-12, "54.0 mJ"),
        (1.5e6, "s", 1e-9, "1.50 ms"),
        (2e-3, "s", 1e-9, "2.00 ps"),
        (1.2e4, " tokens/s", 1.0, "12.0 k tokens/s"),
        (999.4, "W", 1.0, "999 W"),
        (0.0, "W", 1.0, "0.00 W"),
        (3e-6, "W", 1.0, "3.00 µW"),
    ],
)
def test_scales_leave_one_to_three_digits(largest: float, unit: str, base: float, text: str) -> None:
    scale = scaled(largest, unit, base)
    assert f"{scale.text(largest)} {scale.unit}" == text


def test_shares_have_one_decimal() -> None:
    assert Scale(100.0, "%").text(0.0123) == "1.2"


def test_a_name_looks_the_same_whatever_else_is_drawn() -> None:
    names = ["analog.adc", "digital.array", "bus", "ffn1", "tiles.edram", "a_word_that_no_machine_has"]
    assert [looks([name])[name] for name in names] == [look(name) for name in names]
    together = looks(names)
    assert [together[name].colour for name in names] == [look(name).colour for name in names]


def test_the_parts_of_the_preset_look_different() -> None:
    words = (
        "array",
        "adc",
        "wordline_driver",
        "shift_add",
        "input_register",
        "output_register",
        "sample_hold",
    )
    names = [f"{part}.{word}" for part in ("analog", "digital") for word in words]
    names += ["sfu.unit", "bus", "interconnect", "global_bus", "chip_link", "static", "other"]
    assert len({look(name) for name in names}) == len(names)
    assert (look("static").colour, look("other").colour) == (GREY, PALE)


@given(st.lists(NAMES, min_size=1, max_size=20, unique=True))
def test_no_two_of_twenty_names_look_alike(names: list[str]) -> None:
    chosen = looks(names)
    # a colour has eight hatchings: more names of one hue than that must share
    if max(sum(each.colour == one.colour for each in chosen.values()) for one in chosen.values()) <= 8:
        plain = [each for name, each in chosen.items() if name.rpartition(".")[2] not in ("static", "other")]
        assert len(set(plain)) == len(plain)
