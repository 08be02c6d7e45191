"""Producers come first, and cycles are found, on small graphs by hand and on deep ones."""

from archsim.workload.operations import Operation
from archsim.workload.trace_order import order_operations


def graph(**after: str) -> list[Operation]:
    return [Operation(name, "add", None, tuple(waits), width=1) for name, waits in after.items()]


def order(operations: list[Operation]) -> str:
    return "".join(op.id for op in order_operations(operations)[0])


def cycles(operations: list[Operation]) -> list[str]:
    return ["".join(op.id for op in cycle) for cycle in order_operations(operations)[1]]


def test_an_order_that_is_right_already_is_kept() -> None:
    assert order(graph(a="", b="", c="a", d="b", e="cd")) == "abcde"


def test_a_consumer_is_moved_behind_its_producer_and_no_further() -> None:
    assert order(graph(a="c", b="", c="", d="b")) == "bcad"


def test_operands_that_do_not_exist_are_ignored() -> None:
    assert order(graph(a="z", b="a")) == "ab"


def test_an_operand_that_is_used_twice() -> None:
    assert order(graph(a="bb", b="")) == "ba"


def test_cycles_start_with_the_first_of_the_file() -> None:
    assert cycles(graph(a="", b="d", c="b", d="c")) == ["bdc"]


def test_each_cycle_once_and_what_waits_for_one_not_at_all() -> None:
    operations = graph(a="c", b="a", c="b", d="c", e="f", f="e", g="g", h="")
    assert cycles(operations) == ["acb", "ef", "g"]
    assert order(operations) == "h"


def test_a_chain_of_a_hundred_thousand_in_reverse() -> None:
    count = 100_000
    operations = [Operation(f"n{i}", "gelu", None, (f"n{i + 1}",), width=1) for i in range(count)]
    ordered, found = order_operations(operations)
    assert ordered == operations[::-1]
    assert not found


def test_experts_come_after_their_layers_router() -> None:
    expert = Operation("e", "linear", 0, ("x",), rows=1, columns=1, expert=0)
    other = Operation("o", "linear", 1, ("x",), rows=1, columns=1, expert=0)
    route = Operation("r", "route", 0, ("x",), width=1)
    assert order([Operation("x", "add", None, width=1), expert, other, route]) == "xore"
