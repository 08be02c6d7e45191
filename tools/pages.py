"""The pages of the documentation as code: what their blocks run, and what that prints.

A block with the language ``python`` is executed, in order and with the names of the page's earlier ones.
A block with the language ``console`` has lines ``$ archsim ...``, which are run, each with its output below;
a line ``...`` stands for lines that are left out, at most once a command. A comment ahead of a block says
what else it is:

    <!-- output -->           what the block before it prints
    <!-- file: NAME -->       a file, written for the blocks that follow
    <!-- not run: REASON -->  neither
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path
from typing import Any

from archsim.cli.main import main

ROOT = Path(__file__).parents[1]
LEFT_OUT = "..."

_BLOCK = re.compile(
    r"(?P<head>^(?:<!-- (?P<note>[^\n]+) -->\n)?```(?P<language>[\w-]*)\n)(?P<text>.*?)^```$", re.M | re.S
)
_COMMAND = re.compile(r"(?P<command>^\$ (?P<words>(?:.*\\\n)*.*)\n)(?P<output>(?:(?!\$ ).*\n)*)", re.M)


def pages() -> list[Path]:
    """The pages of the documentation, README.md first."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def files(page: str) -> dict[str, str]:
    """The files that a page shows, by name."""
    return {
        found["note"].removeprefix("file: "): found["text"]
        for found in _BLOCK.finditer(page)
        if (found["note"] or "").startswith("file: ")
    }


def run_page(page: str, name: str, workspace: Path) -> str:
    """The page with what its blocks print now.

    Args: name: for tracebacks; workspace: an empty directory to run in, which is given the machines and
        the workloads.
    """
    for folder in ("hwconfigs", "workloads"):
        (workspace / folder).symlink_to(ROOT / folder)
    run = _Run(name)
    with contextlib.chdir(workspace):
        return _BLOCK.sub(lambda found: f"{found['head']}{run.block(found)}```", page)


class _Run:
    """A run of a page: the names that its blocks have defined, and what the last one printed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names: dict[str, Any] = {"__name__": name}
        self.printed = ""

    def block(self, found: re.Match[str]) -> str:
        """The text that a block should have."""
        note, text = found["note"] or "", found["text"]
        if note == "output":
            return self.printed
        if note.startswith("file: "):
            Path(note.removeprefix("file: ")).write_text(text, encoding="utf-8")
        elif found["language"] == "python" and not note.startswith("not run: "):
            line = found.string.count("\n", 0, found.start("text"))
            self.printed = self._python("\n" * line + text)
        elif found["language"] == "console" and not note.startswith("not run: "):
            return _COMMAND.sub(lambda run: run["command"] + _console(run["words"], run["output"]), text)
        return text

    def _python(self, text: str) -> str:
        """What a block prints."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, self.name, "exec"), self.names)
        return out.getvalue()


def _console(command: str, like: str) -> str:
    """What a command prints, with lines left out as in the output ``like``."""
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    if program != "archsim":
        raise ValueError(f"only archsim is run, not {program!r}: say <!-- not run: REASON -->")
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        main(arguments)
    lines, shown = out.getvalue().splitlines(), like.splitlines()
    if LEFT_OUT in shown:
        first = shown.index(LEFT_OUT)
        last = len(shown) - first - 1
        lines = [*lines[:first], LEFT_OUT, *lines[len(lines) - last :]]
    return "".join(f"{line}\n" for line in lines)
