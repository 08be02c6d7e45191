"""The result record: what ``result.json`` holds, with its fixed keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SCHEMA = "archsim-result 2"
"""The version of the record; it changes when a key or its meaning does."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one simulation measured; every field is plain data, ready for JSON.

    Args: latency_ns: of one inference in an empty machine (``first_inference``, with decode also
        ``first_token`` and ``per_token``) and ``total``; throughput: of the settled stream; energy_pj:
        one inference's, leakage included, in total and by component, operation and layer; area_mm2: of
        the chips that are used; efficiency: achieved, with the ``peak_tops`` beside it; power_w: of the
        stream; utilisation: share of the time for which each class of resources in use is held;
        utilisation_by_layer: the same of the resources that a layer uses, held by that layer;
        traffic_bytes: that an inference moves over each class of media; mapping: what lies where;
        programming: writing the weights once; wear: writes a cell and inference; critical_path: what
        bounds latency and throughput, see ``results.bottleneck``.
    """

    hardware: dict[str, Any]
    workload: dict[str, Any]
    options: dict[str, Any]
    latency_ns: dict[str, float]
    throughput: dict[str, float]
    energy_pj: dict[str, Any]
    area_mm2: dict[str, Any]
    efficiency: dict[str, float]
    power_w: dict[str, float]
    utilisation: dict[str, float]
    utilisation_by_layer: dict[str, dict[str, float]]
    traffic_bytes: dict[str, float]
    mapping: dict[str, Any]
    programming: dict[str, float]
    wear: dict[str, float]
    critical_path: dict[str, Any]
    warnings: tuple[str, ...]
    assumptions: tuple[dict[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """The record with its keys in their fixed order."""
        return {"schema": SCHEMA} | {name: getattr(self, name) for name in self.__slots__}

    def to_json(self) -> str:
        """``result.json``: the same for the same inputs, to the byte."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_compact_json(self) -> str:
        """The same without white space: a third as long, and written in a quarter of the time."""
        return json.dumps(self.to_dict(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from archsim.results.html import result_html

        return result_html(self)
