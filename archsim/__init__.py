"""archsim: a cycle-level simulator for RRAM processing-in-memory transformer accelerators.

The verbs are loaded when they are first used, so that ``import archsim`` stays instant::

    machine = archsim.load_hardware("hwconfigs/hyflexpim.yaml")
    result = archsim.simulate(machine, archsim.load_trace("workloads/bert_large.trace"))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.errors import ArchsimError
    from archsim.hardware.loader import load_hardware
    from archsim.pipeline import simulate
    from archsim.workload.generate import generate as generate_trace
    from archsim.workload.trace import read_trace as load_trace

__version__ = "0.1.0"

__all__ = ["ArchsimError", "__version__", "generate_trace", "load_hardware", "load_trace", "simulate"]

# No module of the package may have one of these names: importing it would replace the verb.
_HOME = {
    "ArchsimError": ("archsim.errors", "ArchsimError"),
    "generate_trace": ("archsim.workload.generate", "generate"),
    "load_hardware": ("archsim.hardware.loader", "load_hardware"),
    "load_trace": ("archsim.workload.trace", "read_trace"),
    "simulate": ("archsim.pipeline", "simulate"),
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
