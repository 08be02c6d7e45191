"""The edges of a graph as the compiled loop follows them, for ``sim.fast_engine``, compiled."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from archsim.sim.engine import Links
from archsim.sim.fast_kernel import compiled, nth
from archsim.sim.fast_layout import EXIT, FAR, FINISH, START, Int64, Program


@compiled
def lead(on_finish: Links, on_start: Links, shown: Int64, program: Program) -> int:
    """Write into a program where the edges of its rows begin and lead to.

    Args: shown: (rows,) the task that each row is made of.
    Returns: how many of them lead to a later inference.
    """
    done, far = _lead(on_finish, FINISH, shown, program, 0, 0)
    _, far = _lead(on_start, START, shown, program, done, far)
    return far


@compiled
def _lead(links: Links, column: int, shown: Int64, program: Program, done: int, far: int) -> tuple[int, int]:
    """The same for edges of one kind; how many edges, and far ones, are written then."""
    for row in range(len(shown)):
        program.row[nth(row), nth(column)] = done
        task = shown[nth(row)]
        for edge in range(links.first[nth(task)], links.first[nth(task + 1)]):
            target, distance = links.target[nth(edge)], links.distance[nth(edge)]
            program.edge[nth(done)] = EXIT if target == program.exit else target - task
            if distance:
                program.edge[nth(done)] = FAR + far
                program.later[nth(far), 0], program.later[nth(far), 1] = target - task, distance
                far += 1
            done += 1
    program.row[len(shown), nth(column)] = done
    return done, far
