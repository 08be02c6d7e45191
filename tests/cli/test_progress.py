"""The progress line: on a terminal only, and gone afterwards."""

from __future__ import annotations

import io
import sys
import time

import pytest

from archsim.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_in_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("archsim.cli.progress._PATIENCE_S", 0.0)
    with progress("simulating"):
        time.sleep(0.01)
    assert capsys.readouterr() == ("", "")


def test_nothing_for_a_short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("simulating"):
        pass
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_a_line_on_a_terminal_that_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("archsim.cli.progress._PATIENCE_S", 0.0)
    monkeypatch.setattr("archsim.cli.progress._REFRESH_S", 0.001)
    with pytest.raises(KeyboardInterrupt), progress("simulating"):
        while "simulating" not in terminal.getvalue():
            time.sleep(0.001)
        raise KeyboardInterrupt
    assert terminal.getvalue().startswith("\rsimulating, 0 s ")
    assert terminal.getvalue().endswith("\r\x1b[K")
