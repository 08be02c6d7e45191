"""The traces under workloads/, and what each is made from; tools/write_workloads.py writes them."""

from __future__ import annotations

from pathlib import Path

from archsim.workload.generate import Request, trace_text

CATALOGUE: dict[str, Request] = {
    "bert_base": Request("bert_base", tokens=128, head=False),
    "bert_large": Request("bert_large", tokens=128, head=False),
    "bert_large_1024": Request("bert_large", tokens=1024, head=False),
    "gpt2": Request("gpt2", tokens=1024, head=False),
    "gpt2_decode": Request("gpt2", tokens=128, decode=128),
    "llama3_2_1b": Request("llama3_2_1b", tokens=100, decode=100, head=False),
    "llama3_2_1b_chat": Request("llama3_2_1b", tokens=128, decode=128),
    "vit_base": Request("vit_base", tokens=197, head=False),
    "deit_small": Request("deit_small", tokens=197, head=False),
    "minilm": Request("minilm", tokens=128, head=False),
}
"""By file name. Layers only where papers state layers only; with heads where tokens are generated."""


def write_catalogue(directory: Path) -> None:
    """Write every trace of the catalogue into ``directory``."""
    for name, request in CATALOGUE.items():
        (directory / f"{name}.trace").write_text(trace_text(request), encoding="utf-8", newline="\n")
