"""Llama-3.2-1B, decode: PUs of a chip x chips x bandwidth of the link between chips, for docs/studies.md.

Two steps after a context of 512, without the output head. Prints a table and writes
docs/figures/study_decode.png; points that are in the store already are not simulated again.

    python tools/study_decode.py [--store build/study_decode.db]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import archsim
from archsim.report.plots.palette import HUES
from archsim.report.plots.style import WIDTH_IN, house_style, new_figure, to_bytes

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "docs" / "figures" / "study_decode.png"

PUS = (12, 24, 48)
CHIPS = (1, 2, 4)
LINKS = (0.5, 8, 128)

PUS_PATH = "chip.pus"
CHIPS_PATH = "system.chips"
LINK_PATH = "system.chip_link.bandwidth_gb_per_s"

Row = dict[str, Any]


def table(done: archsim.explore.sweep.Sweep) -> None:
    """Print each design, and what bounds its throughput."""
    print("PUs  chips  link GB/s  us a token    tokens/s  in flight  mJ a token  bound by")
    for place, row in enumerate(done.rows):
        head = f"{row[PUS_PATH]:3}{row[CHIPS_PATH]:7}{row[LINK_PATH]:11g}"
        if row["status"] != "ok":
            print(f"{head}  {row['status']}: {row['reason'].split(': ')[2]}")
            continue
        result = done.result(place)
        bound = next(iter(result.critical_path["throughput"]["busiest"]))
        print(
            f"{head}{row['per_token_ns'] / 1e3:12.1f}{row['tokens_per_s']:12,.0f}{row['in_flight']:11.0f}"
            f"{row['energy_pj'] / 1e9 / result.workload['decode_steps']:12.2f}  {bound}"
        )


def draw(rows: list[Row]) -> bytes:
    """Throughput and latency of a token over the PUs of all chips; a line is a number of chips and a link."""
    with house_style():
        figure = new_figure(2.6, 2 * WIDTH_IN)
        panels = figure.subplots(1, 2, sharex=True)
        for chips, hue in zip(CHIPS, HUES, strict=False):
            for link, style, marker in zip(LINKS, (":", "--", "-"), "^so", strict=True):
                line = [
                    row
                    for row in rows
                    if row["status"] == "ok" and (row[CHIPS_PATH], row[LINK_PATH]) == (chips, link)
                ]
                if not line or (chips == 1 and link != LINKS[-1]):
                    continue  # one chip has no link
                x = [chips * row[PUS_PATH] for row in line]
                name = "1 chip" if chips == 1 else f"{chips} chips, {link:g} GB/s"
                look = {"color": hue, "linestyle": style, "marker": marker, "markersize": 3, "label": name}
                panels[0].plot(x, [row["tokens_per_s"] / 1e3 for row in line], **look)
                panels[1].plot(x, [row["per_token_ns"] / 1e3 for row in line], **look)
        for panel, label in zip(panels, ("thousand tokens/s", "µs a token, alone"), strict=True):
            panel.set_xlabel("PUs of all chips")
            panel.set_ylabel(label)
            panel.set_ylim(0, 1.1 * panel.dataLim.ymax)
            panel.set_xticks(sorted({chips * pus for chips in CHIPS for pus in PUS if chips * pus >= 48}))
            panel.grid(True)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return to_bytes(figure, "png")


def main() -> None:
    """Sweep, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default=str(ROOT / "build" / "study_decode.db"))
    options = parser.parse_args()
    Path(options.store).parent.mkdir(parents=True, exist_ok=True)
    trace = archsim.generate_trace("llama3_2_1b", tokens=0, decode=2, context=512, head=False)
    space = {CHIPS_PATH: CHIPS, PUS_PATH: PUS, LINK_PATH: LINKS}
    done = archsim.sweep(ROOT / "hwconfigs" / "hyflexpim.yaml", trace, space, store=options.store)
    table(done)
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_bytes(draw(done.rows))


if __name__ == "__main__":
    main()
