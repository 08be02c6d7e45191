"""One fact of the paper beside what archsim gives."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from validation import measure


@dataclass(frozen=True)
class Fact:
    """A quantity in two columns.

    Args: what: the quantity; paper: its value as printed, '' where the paper says nothing; unit: of both;
        expression: gives archsim's value, over the names of ``measure``; place: where the paper has it,
        ``derived`` for arithmetic on what it prints; reason: why the two differ, or what the number
        means; digits: decimals to show where the paper gives no value.
    """

    what: str
    paper: str
    unit: str
    expression: str
    place: str = ""
    reason: str = ""
    digits: int = 0

    @cached_property
    def archsim(self) -> float:
        """What archsim gives."""
        return float(eval(self.expression, vars(measure)))

    @property
    def decimals(self) -> int:
        """As many as the paper prints, or as ``digits`` asks for."""
        return -int(Decimal(self.paper).as_tuple().exponent) if self.paper else self.digits

    @property
    def shown(self) -> str:
        """archsim's value as the page prints it."""
        return f"{self.archsim:.{self.decimals}f}"

    @property
    def agrees(self) -> bool | None:
        """Whether archsim's value, rounded as the paper's is, is the paper's; None without one."""
        return Decimal(self.shown) == Decimal(self.paper) if self.paper else None


@dataclass(frozen=True, slots=True)
class Section:
    """Facts about one subject; ``text`` says in a few sentences what to look for."""

    letter: str
    title: str
    text: str
    facts: tuple[Fact, ...]

    @property
    def rows(self) -> list[tuple[str, Fact]]:
        """The facts with their names, such as ``A1``."""
        return [(f"{self.letter}{number}", fact) for number, fact in enumerate(self.facts, start=1)]
