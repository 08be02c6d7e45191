"""What all pictures share: size, type, lines, and bytes that depend on what is drawn alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.errors import ArchsimError, Finding, did_you_mean

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure

WIDTH_IN = 3.3
"""The width of a column of a two-column paper."""

TEXT_PT, SMALL_PT = 8.0, 7.0
"""The sizes of axis labels, and of tick labels and legends."""

FORMATS = ("png", "svg", "pdf")

_DOTS_PER_INCH = 300
_PAD_IN = 0.03

_SETTINGS: dict[str, Any] = {
    "font.size": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "legend.handlelength": 1.1,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 0.9,
    "legend.labelspacing": 0.3,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "grid.color": "#D0D0D0",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "hatch.linewidth": 0.35,
    "lines.linewidth": 1.0,
    "patch.linewidth": 0.4,
    "savefig.dpi": _DOTS_PER_INCH,
    "figure.dpi": _DOTS_PER_INCH,
    "pdf.fonttype": 42,  # whole outlines: journals refuse Type 3
    "svg.hashsalt": "archsim",  # the names of clip paths would be random
}

# what a file would say of the time and the program that made it
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def file_format(path: str | Path) -> str:
    """The format that a file's name asks for.

    Raises: ArchsimError: for a name that ends in none of FORMATS.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix in FORMATS:
        return suffix
    allowed = ", ".join(f".{each}" for each in FORMATS)
    given = f"not {'.' + suffix!r}" if suffix else "and has no suffix"
    what = f"a picture's name must end with one of {allowed}, {given}{did_you_mean(suffix, FORMATS)}"
    raise ArchsimError(Finding(what, str(path)))


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and write figures in the body in this style, whatever the user's matplotlib is set to."""
    from matplotlib import style

    with style.context(["default", _SETTINGS]):
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure that belongs to nobody else, laid out so that nothing is cut off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=_PAD_IN, h_pad=_PAD_IN)
    figure = Figure(figsize=(width_in, height_in), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def lay_out(figure: Figure) -> None:
    """Settle where everything stands, so that it can be measured."""
    figure.draw_without_rendering()


def renderer_of(figure: Figure) -> RendererBase:
    """What measures texts as they will be drawn."""
    return figure.canvas.get_renderer()  # type: ignore[attr-defined, no-any-return]


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The picture as a file of one of FORMATS: the same for equal figures."""
    file = io.BytesIO()
    figure.savefig(file, format=kind, metadata=_METADATA[kind])
    return file.getvalue()
