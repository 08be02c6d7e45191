"""Exit statuses and messages that all verbs share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import archsim
from archsim.cli import trace
from archsim.cli.main import main


def status_of(*argv: str) -> int:
    """The exit status of a command line that the parser ends."""
    with pytest.raises(SystemExit) as error:
        main(argv)
    assert isinstance(error.value.code, int)
    return error.value.code


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["simulat"],
            "archsim: argument VERB: 'simulat' is not one of simulate, trace, describe, compare, "
            "assumptions, sweep, plot, crossbar, reproduce (did you mean 'simulate'?)",
        ),
        ([], "archsim: the following arguments are required: VERB"),
        (["--verson", "trace", "--list"], "archsim: unknown option '--verson' (did you mean '--version'?)"),
        (["simulate", "a.yaml"], "archsim simulate: the following arguments are required: TRACE"),
        (
            ["simulate", "a.yaml", "b.trace", "--overwite"],
            "archsim simulate: unknown option '--overwite' (did you mean '--overwrite'?)",
        ),
        (
            ["simulate", "a.yaml", "b.trace", "--over"],
            "archsim simulate: unknown option '--over' (did you mean '--overwrite'?)",
        ),
        (["describe", "a.yaml", "--zzz=3"], "archsim describe: unknown option '--zzz'"),
        (["describe", "a.yaml", "b.yaml"], "archsim describe: unknown argument 'b.yaml'"),
        (
            ["simulate", "a.yaml", "b.trace", "--engine", "evnt"],
            "archsim simulate: argument --engine: 'evnt' is not one of auto, event, fast "
            "(did you mean 'event'?)",
        ),
        (
            ["simulate", "a.yaml", "b.trace", "--detail", "arrays"],
            "archsim simulate: argument --detail: 'arrays' is not one of module, array "
            "(did you mean 'array'?)",
        ),
        (["describe", "a.yaml", "--set"], "archsim describe: argument --set: expected one argument"),
        (["trace"], "archsim trace: one of the arguments MODEL --list is required"),
        (["trace", "gpt2", "--tokens", "x"], "archsim trace: argument --tokens: invalid int value: 'x'"),
    ],
)
def test_a_wrong_argument_is_one_line(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*argv) == 2
    out, err = capsys.readouterr()
    prog = message.split(":")[0]
    assert (out, err) == ("", f"{message}; see {prog} --help\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert capsys.readouterr().out == f"archsim {archsim.__version__}\n"


@pytest.mark.parametrize(
    "verb",
    [
        *("simulate", "trace", "describe", "compare", "assumptions", "sweep", "plot", "crossbar"),
        "reproduce",
    ],
)
def test_each_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(verb, "--help") == 0
    out = capsys.readouterr().out
    assert f"\n  archsim {verb} " in out[out.index("example") :]


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(trace, "run", interrupted)
    assert main(["trace", "gpt2"]) == 130
    assert capsys.readouterr() == ("", "archsim: interrupted\n")


def archsim_process(*arguments: str, stdout: int) -> tuple[int, str]:
    """Exit status and stderr of a command that writes to the file descriptor ``stdout``."""
    source = Path(archsim.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-m", "archsim", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
        check=False,
    )
    return run.returncode, run.stderr


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        assert archsim_process("trace", "minilm", stdout=write) == (141, "")
    finally:
        os.close(write)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        status, stderr = archsim_process("trace", "minilm", stdout=full.fileno())
    assert (status, stderr) == (2, "stdout cannot be written: no space left on device\n")
