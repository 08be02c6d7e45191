"""BERT-Large: rows of an array x columns that share an ADC x SLC share, for docs/studies.md.

The cells of a module stay as many: an array of half the rows comes twice as often. A converter has the bits
that HyFlexPIM's rule asks of so many rows (log2 of the rows for SLC, one more for two-bit cells), and one bit
more costs twice as much. Copies are whole ones, and there is no SVD. Prints a table and writes
docs/figures/study_arrays.png; points that are in the store already are not simulated again.

    python tools/study_arrays.py [--store build/study_arrays.db]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import archsim
from archsim.explore.space import Axis, Space, combined, read_space
from archsim.report.plots.palette import HUES
from archsim.report.plots.style import WIDTH_IN, house_style, new_figure, to_bytes

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "docs" / "figures" / "study_arrays.png"

ROWS = (32, 64, 128, 256)
COLUMNS = 128
SHARED = (1, 2, 4, 8)
SLC = (0.05, 0.3, 1.0)

ROWS_PATH = "pu.parts.analog.array.rows"
SHARED_PATH = "pu.parts.analog.adc.arrays_per_adc"
SLC_PATH = "mapping.slc_rate"

Row = dict[str, Any]


def space() -> Space:
    """The designs; what follows from the rows is linked to them."""
    follows = {
        ROWS_PATH: ROWS,
        "pu.parts.analog.arrays": tuple(512 * 64 // rows for rows in ROWS),
        "pu.parts.analog.adc.bits.slc": tuple(rows.bit_length() - 1 for rows in ROWS),
        "pu.parts.analog.adc.bits.mlc": tuple(rows.bit_length() for rows in ROWS),
    }
    linked = Space((tuple(Axis(path, values, "study") for path, values in follows.items()),))
    free = read_space(
        {SHARED_PATH: SHARED, SLC_PATH: SLC, "mapping.replication": "whole", "mapping.svd": "none"}
    )
    return combined(linked, free)


def table(rows: list[Row]) -> None:
    """Print each design."""
    print("rows  columns an ADC   SLC  inferences/s      mJ    mm2  TOPS/W  TOPS/mm2")
    for row in rows:
        head = f"{row[ROWS_PATH]:4}{row[SHARED_PATH] * COLUMNS:16}{row[SLC_PATH]:6.2f}"
        if row["status"] != "ok":
            print(f"{head}  {row['status']}: {row['reason']}")
            continue
        print(
            f"{head}{row['inferences_per_s']:14,.0f}{row['energy_pj'] / 1e9:8.1f}{row['area_mm2']:7,.0f}"
            f"{row['tops_per_w']:8.2f}{row['tops_per_mm2']:10.3f}"
        )


def line_of(
    rows: list[Row], height: int, slc: float, column: str, scale: float
) -> tuple[list[int], list[float]]:
    """A metric over the columns that share an ADC, for arrays of one height and one SLC share."""
    chosen = [
        row for row in rows if row["status"] == "ok" and (row[ROWS_PATH], row[SLC_PATH]) == (height, slc)
    ]
    return [row[SHARED_PATH] * COLUMNS for row in chosen], [row[column] * scale for row in chosen]


def draw(rows: list[Row]) -> bytes:
    """Energy over the columns that share an ADC, one panel an SLC share, one line an array height."""
    with house_style():
        figure = new_figure(2.4, 2 * WIDTH_IN)
        *panels, rates = figure.subplots(1, len(SLC) + 1, sharex=True)
        for panel, slc in zip(panels, SLC, strict=True):
            for height, hue, marker in zip(ROWS, HUES, "osD^", strict=False):
                x, y = line_of(rows, height, slc, "energy_pj", 1e-9)
                panel.plot(x, y, marker=marker, markersize=3, color=hue, label=f"{height} rows")
            panel.set_title(f"energy, {slc:.0%} SLC")
            panel.set_ylim(50, 75)
        panels[0].set_ylabel("mJ an inference")
        x, y = line_of(rows, ROWS[1], SLC[0], "inferences_per_s", 1e-3)
        rates.plot(x, y, marker="o", markersize=3, color="black")
        rates.set_title("throughput, all alike")
        rates.set_ylabel("thousand inferences/s")
        rates.set_ylim(bottom=0)
        for panel in (*panels, rates):
            panel.set_xscale("log", base=2)
            panel.set_xticks(x, map(str, x))
            panel.minorticks_off()
            panel.set_xlabel("columns an ADC")
            panel.grid(True)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(ROWS))
        return to_bytes(figure, "png")


def main() -> None:
    """Sweep, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default=str(ROOT / "build" / "study_arrays.db"))
    options = parser.parse_args()
    Path(options.store).parent.mkdir(parents=True, exist_ok=True)
    done = archsim.sweep(
        ROOT / "hwconfigs" / "hyflexpim.yaml",
        ROOT / "workloads" / "bert_large.trace",
        space(),
        store=options.store,
    )
    rows = done.rows
    table(rows)
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_bytes(draw(rows))


if __name__ == "__main__":
    main()
