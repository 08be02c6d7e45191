"""Several machines on the same traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archsim.errors import MappingError
from archsim.hardware.machine import Machine
from archsim.pipeline import simulate
from archsim.results.comparison import Entry
from archsim.workload.operations import Trace


def compare(
    machines: Mapping[str, Machine],
    traces: Mapping[str, Trace],
    *,
    stream: bool = True,
    done: Callable[[], None] = lambda: None,
) -> tuple[Entry, ...]:
    """Simulate every trace on every machine; what one cannot hold or execute is an entry with the reason.

    Args: machines, traces: by the name that tables show; stream: as of ``simulate``; done: told after each.
    Returns: trace by trace, the machines in the order given.
    """
    entries = []
    for workload, trace in traces.items():
        for name, machine in machines.items():
            try:
                entries.append(Entry(name, workload, simulate(machine, trace, stream=stream)))
            except MappingError as error:
                entries.append(Entry(name, workload, None, tuple(map(str, error.findings))))
            done()
    return tuple(entries)
