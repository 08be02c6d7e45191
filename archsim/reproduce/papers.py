"""The papers whose figures can be reproduced."""

from __future__ import annotations

from archsim.reproduce import consistency, energy, isaac, scaling, throughput
from archsim.reproduce.study import Group

PAPERS: dict[str, tuple[Group, ...]] = {
    "hyflexpim": (*energy.GROUPS, *throughput.GROUPS, *scaling.GROUPS, *consistency.GROUPS),
    "isaac": isaac.GROUPS,
}
"""The comparisons of each paper; each file of published/ has the figures of one."""
