"""A result in a notebook."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.results.record import Result
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"
EVIL = "<script>alert('&')</script>"


@pytest.fixture(scope="module")
def result() -> Result:
    machine = load_hardware(MACHINES / "small.yaml")
    return simulate(machine, read_trace(MACHINES / "decode.trace"), stream=False)


class Reader(HTMLParser):
    """The tags that are opened, and the text that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_the_table_has_the_headline_numbers(result: Result) -> None:
    reader = read(result._repr_html_())
    assert reader.tags == {"table", "caption", "tr", "th", "td"}
    texts = reader.text
    assert texts[0] == f"{result.workload['model']} on {result.hardware['name']}"
    headings = ("latency", "throughput", "energy", "power", "area", "efficiency")
    assert tuple(each for each in texts if each in headings) == headings
    assert texts[texts.index("area") + 1] == f"{result.area_mm2['total']:,.1f} mm2"


def test_names_are_escaped(result: Result) -> None:
    evil = replace(
        result,
        hardware={**result.hardware, "name": EVIL},
        workload={**result.workload, "model": EVIL},
        energy_pj={**result.energy_pj, "by_component": {EVIL: result.energy_pj["per_inference"]}},
        warnings=(EVIL,),
    )
    html = evil._repr_html_()
    assert "<script" not in html
    reader = read(html)
    assert reader.tags == {"table", "caption", "tr", "th", "td"}
    assert reader.text[0] == f"{EVIL} on {EVIL}"
    assert f"{EVIL} 100.0%" in reader.text
    assert reader.text[-1] == EVIL


def test_a_result_without_energy_is_shown(result: Result) -> None:
    nothing = replace(result, energy_pj={"per_inference": 0.0, "by_component": {"a": 0.0}})
    assert "0 J an inference" in read(nothing._repr_html_()).text
