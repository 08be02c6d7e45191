"""The traces under workloads/ are what the generator writes."""

from pathlib import Path

import pytest

from archsim.workload.catalogue import CATALOGUE, write_catalogue
from archsim.workload.generate import trace_text
from archsim.workload.trace import read_trace, write_trace

WORKLOADS = Path(__file__).parents[2] / "workloads"


def test_each_file_is_in_the_catalogue() -> None:
    assert {path.stem for path in WORKLOADS.glob("*.trace")} == set(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_file_is_what_the_command_writes(name: str) -> None:
    assert (WORKLOADS / f"{name}.trace").read_bytes().decode() == trace_text(CATALOGUE[name])


@pytest.mark.parametrize("name", CATALOGUE)
def test_file_round_trips(name: str, tmp_path: Path) -> None:
    trace = read_trace(WORKLOADS / f"{name}.trace")
    copy = tmp_path / "copy.trace"
    copy.write_text(write_trace(trace))
    assert read_trace(copy) == trace


def test_commands_in_the_files() -> None:
    commands = {name: trace_text(request).splitlines()[1] for name, request in CATALOGUE.items()}
    assert commands["bert_large"] == "# archsim trace bert_large --tokens 128 --no-head"
    assert commands["gpt2_decode"] == "# archsim trace gpt2 --tokens 128 --decode 128"
    assert commands["llama3_2_1b"] == "# archsim trace llama3_2_1b --tokens 100 --decode 100 --no-head"


def test_write_catalogue(tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    for name in CATALOGUE:
        assert (tmp_path / f"{name}.trace").read_bytes() == (WORKLOADS / f"{name}.trace").read_bytes()
