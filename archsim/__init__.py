"""archsim: a cycle-level simulator for RRAM processing-in-memory transformer accelerators.

The verbs are loaded when they are first used, so that ``import archsim`` stays instant::

    machine = archsim.load_hardware("hwconfigs/hyflexpim.yaml")
    result = archsim.simulate(machine, archsim.load_trace("workloads/bert_large.trace"))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.crossbar.program import Crossbar
    from archsim.errors import ArchsimError
    from archsim.explore.compare import compare
    from archsim.explore.sweep import sweep
    from archsim.hardware.loader import load_hardware
    from archsim.hardware.technology import at_technology
    from archsim.pipeline import simulate
    from archsim.results.read import read_result as load_result
    from archsim.workload.generate import generate as generate_trace
    from archsim.workload.trace import read_trace as load_trace

__version__ = "0.1.0"

__all__ = [
    "ArchsimError",
    "Crossbar",
    "__version__",
    "at_technology",
    "compare",
    "generate_trace",
    "load_hardware",
    "load_result",
    "load_trace",
    "simulate",
    "sweep",
]

# No module of the package may have one of these names: importing it would replace the verb.
_HOME = {
    "ArchsimError": ("archsim.errors", "ArchsimError"),
    "Crossbar": ("archsim.crossbar.program", "Crossbar"),
    "at_technology": ("archsim.hardware.technology", "at_technology"),
    "compare": ("archsim.explore.compare", "compare"),
    "generate_trace": ("archsim.workload.generate", "generate"),
    "load_hardware": ("archsim.hardware.loader", "load_hardware"),
    "load_result": ("archsim.results.read", "read_result"),
    "load_trace": ("archsim.workload.trace", "read_trace"),
    "simulate": ("archsim.pipeline", "simulate"),
    "sweep": ("archsim.explore.sweep", "sweep"),
}


def __getattr__(name: str) -> Any:
    """Load a verb of the API from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
