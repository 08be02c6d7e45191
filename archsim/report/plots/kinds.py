"""The kinds of pictures: what each is drawn from, and what it can be split by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["results", "run", "sweep"]
"""Result records; a machine and a trace that are run; the store or the CSV of a sweep."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; the module of its name draws it.

    Args: by: what its bars can consist of, or its rows be, the usual one first; shows: for people.
    """

    source: Source
    by: tuple[str, ...]
    shows: str


KINDS: dict[str, Kind] = {
    "energy": Kind("results", ("component", "part", "operation"), "energy of an inference, stacked"),
    "area": Kind("results", ("component", "part"), "area of the chips in use, stacked"),
    "latency": Kind("results", ("cause", "class", "operation"), "latency along the critical path, stacked"),
    "throughput": Kind("results", ("inferences", "tokens", "ops"), "throughput of the stream"),
    "utilisation": Kind("results", ("class", "layer"), "share of time for which resources are held"),
    "roofline": Kind("results", (), "rate achieved, below peak and bandwidths"),
    "sequence_length": Kind(
        "results", ("component", "part", "operation"), "energy over the sequence length, and its shares"
    ),
    "pipeline": Kind("run", ("operation", "layer"), "a few tokens on their way through the pipeline"),
    "power": Kind("run", (), "dynamic power over time"),
    "pareto": Kind("sweep", (), "all points of a sweep over two objectives, and the best"),
    "heatmap": Kind("sweep", (), "a value over two of a sweep's parameters"),
}
