"""``archsim trace``."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim.cli.main import main
from archsim.workload.models import MODELS


def test_stdout_and_file_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "minilm", "--tokens", "16", "--batch", "2"]) == 0
    printed = capsys.readouterr().out
    assert main(["trace", "minilm", "--tokens", "16", "--batch", "2", "-o", f"{tmp_path}/m.trace"]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "m.trace").read_text() == printed
    trace = archsim.load_trace(tmp_path / "m.trace")
    assert trace == archsim.generate_trace("minilm", tokens=16, batch=2)
    assert (trace.phases[0].tokens, trace.batch, trace.layers) == (16, 2, 6)


def test_decode_and_no_head(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "gpt2", "--tokens", "0", "--decode", "5", "--context", "9", "--no-head"]) == 0
    out = capsys.readouterr().out
    assert "decode steps=5 context=9" in " ".join(out.split())
    assert "argmax" not in out


def test_list_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(MODELS)


def test_an_unknown_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "bert_larg", "-o", f"{tmp_path}/x.trace"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (f"unknown model 'bert_larg' (did you mean 'bert_large'?); known are {', '.join(MODELS)}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "minilm", "-o", str(tmp_path)]) == 2
    assert capsys.readouterr() == ("", f"{tmp_path}: cannot be written: is a directory\n")
