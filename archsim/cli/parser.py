"""The argument parser of every verb: strict, and brief where the standard one is long."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from archsim.errors import did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and says what is wrong in two lines, with the nearest word."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Print the message and where help is, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse all arguments: one that is not known is an error of the verb it was given to."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].split("=")[0]
            options = [option for action in self._actions for option in action.option_strings]
            what = "option" if word.startswith("-") else "argument"
            self.error(f"unknown {what} {word!r}{did_you_mean(word, options)}")
        return known, []

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not among an argument's choices, and name the nearest one."""
        if action.choices is None or value in action.choices:
            return
        allowed = [str(choice) for choice in action.choices]
        nearest = did_you_mean(str(value), allowed)
        raise argparse.ArgumentError(action, f"{value!r} is not one of {', '.join(allowed)}{nearest}")
