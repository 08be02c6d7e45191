"""What an inference's energy consists of at several sequence lengths, as a total and as shares.

As the papers draw it: one stacked bar a length, so that the growth of attention shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.errors import ArchsimError
from archsim.report.plots.energy import energy_table
from archsim.report.plots.labels import Named, scaled
from archsim.report.plots.layout import add_legend, filled, part_x_labels, patch
from archsim.report.plots.stacks import stack
from archsim.report.plots.style import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_IN = 2.6


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture.

    Raises: ArchsimError: for results of several models or machines, and for equal lengths.
    """
    _check(results)
    ordered = sorted(results, key=_length)
    stacks = stack([energy_table(each, by) for each in ordered])
    scale = scaled(max(stacks.totals), "J", 1e-12)
    figure = new_figure(_HEIGHT_IN)
    whole, share = figure.subplots(2, 1, sharex=True)
    chosen = stacks.looks()
    for axes, factors in (
        (whole, [scale.factor] * len(ordered)),
        (share, [100 / total if total else 0.0 for total in stacks.totals]),
    ):
        bottoms = [0.0] * len(ordered)
        for name, values in stacks.rows.items():
            heights = [value * factor for value, factor in zip(values, factors, strict=True)]
            axes.bar(range(len(ordered)), heights, 0.7, bottoms, **filled(chosen[name]))
            bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
        axes.grid(axis="y")
    share.set_ylim(0, 100)
    whole.set_ylabel(f"energy ({scale.unit})")
    share.set_ylabel("share (%)")
    _name_lengths(share, [_length(each) for each in ordered])
    figure.align_ylabels()
    part_x_labels(figure, share)
    add_legend(figure, [patch(chosen[name]) for name in stacks.rows], [stacks.label(n) for n in stacks.rows])
    return figure


def _check(results: Sequence[Named]) -> None:
    for what, key in (("models", "workload.model"), ("machines", "hardware.name")):
        section, _, name = key.partition(".")
        found = sorted({getattr(each.result, section)[name] for each in results})
        if len(found) > 1:
            raise ArchsimError(
                f"a sequence_length plot is of one model on one machine, and these are {len(found)} {what}: "
                f"{', '.join(found)}"
            )
    for length, times in sorted(Counter(map(_length, results)).items()):
        if times > 1:
            raise ArchsimError(
                f"{times} results have a sequence length of {length}: one a length can be drawn"
            )


def _length(each: Named) -> int:
    """Tokens of the sequence at its end."""
    work = each.result.workload
    return int(max(work["prefill_tokens"], work["context"]) + work["decode_steps"])


def _name_lengths(axes: Axes, lengths: Sequence[int]) -> None:
    axes.set_xticks(range(len(lengths)), [str(length) for length in lengths])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(lengths) - 0.4)
    axes.set_xlabel("sequence length (tokens)")
