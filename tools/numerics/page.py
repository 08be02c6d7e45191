"""The page docs/numerics.md."""

from __future__ import annotations

from archsim.crossbar.devices import off_level
from archsim.crossbar.error_rate import describe, error_rates, sigma_of
from archsim.parts.arithmetic import MultiplicativeNoise, WeightNoise
from numerics import tables
from numerics.measure import BATCH, COLUMNS, MODES, ROWS, SAMPLES, crossbar, largest_sum, model, preset_noise
from numerics.tables import RATE, percent, rate_sigma


def page() -> str:
    """The whole page as markdown."""
    sections = (intro, levels, signs, order, rates, weights, kinds, reads, wires, preset)
    return "\n\n".join(section().strip() for section in sections) + "\n"


def intro() -> str:
    return f"""
<!-- Written by tools/write_numerics.py (make docs). -->

# Numerics: what an array computes, and how wrong it is

`archsim.crossbar` computes with the arrays of a hardware YAML: weights in bit slices, inputs bit by bit, a
conversion for each bitline and read, shift-and-add behind it. This page says which conventions there are
and what each does to a product. All figures are measured, by `python tools/write_numerics.py`, on the
arrays of `hwconfigs/hyflexpim.yaml` with one thing changed at a time.

*Random data* are normally distributed, INT8: {ROWS} x {COLUMNS} weights with a scale for each output,
{BATCH} inputs of {ROWS} with one scale. An *error* is the root mean square of the differences from the
exact product, relative to the standard deviation of the exact product's elements: at 100 % the result is
worth nothing. It is one of a single product; what a network makes of it is another matter.
"""


def levels() -> str:
    rows = tables.array_rows()
    sums = {mode: largest_sum(rate) for mode, rate in MODES.items()}
    return f"""
## A sum has more levels than the converter has codes

{rows} one-bit cells and one-bit inputs add up to 0 to {rows}: {rows + 1} levels, and an ADC of 6 bits has
64 codes. {rows} cells of 2 bits add up to 0 to {3 * rows}: {3 * rows + 1} levels, and 7 bits have 128
codes. The paper calls both full precision. `adc.range` says what happens instead:

- `clip`: unit steps; sums above the highest code take the highest code.
- `flip`: a column of an array whose levels add up to more than half of the full sum is stored complemented,
  and what was meant, (2^bits - 1) times the driven wordlines minus the sum, is recovered digitally (ISAAC,
  2016). The largest sums fall to {rows // 2} and {3 * rows // 2}: 6 and 7 bits are enough, whatever the
  data.
- `full_scale`: the codes are spread over 0 to the full sum.
- `calibrated`: they are spread over the sums that sample inputs give (here: the first {SAMPLES}), in
  steps of at least one level.

{tables.conventions()}

*Largest*: all weights and all inputs are 127; there the error is relative to the result.

The random data's largest sums are {sums["SLC"]} (SLC) and {sums["MLC"]} (MLC), so `clip` never clips them:
what looks like full precision is a property of the data. Nothing but `flip` is exact for all data.
`calibrated` is as good as its samples: a sum below their least is lost as one above their largest is.
Spreading the codes is the worst choice for random data: nearly all sums lie between codes, or, with 64
codes for 65 levels, take the code of a level 1.6 % larger; and the offset coding multiplies such errors
(next section). `adc.step_levels` sets the step by itself, `adc.rounding` the way from a sum to a code;
saturated conversions are counted in every product.

Where a column cannot exceed the codes whatever its inputs, its conversions are exact, and archsim takes an
integer matrix multiplication in their place.
"""


def signs() -> str:
    return f"""
## Signed numbers

Cells and wordlines know no sign. Weights are stored as w + 128, of which 128 times the sum of the inputs is
subtracted digitally (`offset`); as positive and negative part, each with columns of its own
(`differential`); or as two's complement, whose highest bit counts -128: one-bit cells only, since the
highest 2-bit cell holds a bit that would count -128 and one that counts 64.

{tables.weight_codings()}

An offset column stores numbers around 128 for weights around 0, and every relative error, of a step or of a
cell, is one of those 128: several times the weight's own. `differential` stores small weights as small
levels and errs less, with nearly twice the cells. That holds for relative errors only: a deviation that
every cell has, whatever its level (last column), is the larger the more cells there are.

Inputs are driven as two's complement (the read of the highest bit counts negative), as sign and magnitude
with bipolar wordlines, or in two passes, first the positive inputs and then the negative ones:

{tables.input_codings()}

A small negative number in two's complement has many ones: its reads count -128 and up to 127, and nearly
cancel. What is wrong in a cell is wrong in each of them and cancels as well; the rounding errors of the
converters differ from read to read and do not. Sign and magnitude, or two passes, drive small inputs in few
reads. Bipolar wordlines leave half of the codes to either sign (-32 to 31 of 6 bits); these data still fit.
"""


def order() -> str:
    return f"""
## From a level to a sum

What is in a cell is decided when a matrix is programmed, in this order, and stays until it is programmed
again:

1. the level, complemented where `flip` does so;
2. `noise.write`, or `noise.slc_write` for cells of one bit: a deviation drawn once;
3. `noise.stuck`: shares of cells that hold the lowest or the highest level, whatever was written;
4. `cell.device.off_current: kept` adds the current of the lowest level to every cell; by default a reference
   column takes it out;
5. `noise.ir_drop`: the voltage that is lost along the wires scales the current of each cell.

Each read then adds `noise.read`, drawn afresh, and the converter follows. All draws depend on the seed, the
mode and the place of the cell, and on nothing else: not on the number of threads, nor on what is computed
first.

{tables.noise_kinds()}

n is a standard normal number, and a level is counted in steps: 0 to 3 in 2-bit cells. `noise.read` may be
one of the two Gaussians. Only `rram_wan2022` keeps conductances from falling below zero; no model bounds
them above.
"""


def rates() -> str:
    notebook = MultiplicativeNoise(kind="gaussian_multiplicative", sigma=0.025)
    return f"""
## Sigma and error rate

Papers give an error rate of cells, simulators want a standard deviation. With evenly spaced levels, all of
them equally frequent, and thresholds half way between them, one follows from the other. Two error rates are
in use: that of cells, and that of the bits of Gray-coded levels, in which a step to the next level is one
wrong bit. The YAML takes `sigma`, `cell_error_rate` or `bit_error_rate`; wherever archsim shows one it
shows the others.

The sigma for a rate of {100 * RATE:.2f} %, relative to the level (multiplicative) or in steps (additive):

{tables.sigma_of_rate()}

The error rates for a sigma, of cells and of bits:

{tables.rate_of_sigma()}

- The sigma of 0.025 in the paper's published accuracy notebook is `{describe(notebook, 2)}`: not
  {100 * RATE:.2f} %, nor anything that could be measured.
- The same sigma, relative to the level, is safer in fewer levels: {sigma_in_slc()} of one-bit cells are
  misread at the sigma that misreads {100 * RATE:.2f} % of the bits of 2-bit cells. The same *rate* is a
  larger sigma in fewer levels. `cell_bits` says which cells a rate is of; without it each mode has that
  rate itself, and SLC deviates by {sigma_of_slc():.3g}.
- A rate has a limit, which no sigma reaches: half of the one-bit cells that should be on, so 25 % of all,
  with multiplicative noise. Beyond it is an error.
"""


def sigma_in_slc() -> str:
    """Share of one-bit cells that the MLC cells' sigma misreads."""
    return percent(error_rates([0.0, rate_sigma()]).cell)


def sigma_of_slc() -> float:
    """Sigma at which one-bit cells have the bit error rate of the MLC cells."""
    return sigma_of(MultiplicativeNoise(kind="gaussian_multiplicative", bit_error_rate=RATE), 1)


def weights() -> str:
    return f"""
## Equation 5 on whole weights, and noise of cells

HyFlexPIM's equation 5 is W + eta W, element by element. Literally (`gaussian_weight`) all cells of a weight
deviate together, in proportion to their levels, so that what they stand for is exactly w (1 + eta). With
independent cells (`gaussian_multiplicative`) each level deviates by itself, with the same sigma:

{tables.weights_and_cells()}

- Without a converter, equation 5 gives an error of sigma in every coding and mode: a weight's deviation is
  relative to the weight. Independent cells of the offset coding give about three times that, since their
  deviations are relative to w + 128; differential ones somewhat less than sigma, since the deviations of a
  weight's cells average out.
- A converter with unit steps rounds small deviations away: at sigma 0.025, most of those of a sum of
  one-bit cells, but not those of 2-bit cells, whose levels are larger. Once it does not, it makes things
  worse: rounding errors differ from read to read, and do not cancel where those of the cells do (two's
  complement inputs, above).
- Equation 5 knows no mode: without a converter SLC and MLC come out alike. Neither do independent cells
  with one sigma for both: one-bit cells are misread far less, but a sum is not read back cell by cell. In a
  sum SLC is safer only where its cells deviate less, in steps, than MLC cells do.
- A weight near -128 is stored in levels near 0 by the offset coding; those then carry the whole deviation
  of a large weight, with deviations beyond a level. Equation 5 asks for that; no cell does it.
"""


def kinds() -> str:
    device = model().cell.device
    assert device is not None, "the preset has a device"
    lowest = [tables.array_rows() * off_level(device, bits) for bits in (1, 2)]
    return f"""
## The models side by side

Error rates, and errors of products with the preset's coding and converters:

{tables.all_kinds()}

Measured cells (`rram_wan2022`) and ClipFormer's deviate relative to their range, not to their level. A step
of one-bit cells is three times that of 2-bit cells, so SLC is the safer mode. `gaussian_additive` deviates
so as well, but here its SLC sums deviate by about half a step, and rounding takes back what SLC gains.

After a day, the cells of Wan et al. used as 2-bit cells would be misread about as often as the
{100 * RATE:.2f} % that Fan et al. measured, if that was a rate of cells; HyFlexPIM takes it as one of bits.

Smaller effects, alone:

{tables.small_effects()}

At an on/off ratio of 150, {tables.array_rows()} driven cells at the lowest level add {lowest[0]:.2g} of
an SLC step and {lowest[1]:.2g} of an MLC step: the converter rounds the first away and not the second.
"""


def reads() -> str:
    return f"""
## Written once, or drawn for every read

The same sigma, 0.1 of the level, as a deviation of what is written and of what every read sees; the mean of
so many products with the same matrix and the same inputs:

{tables.reads_and_writes()}

What is written wrongly is wrong in the same way each time: no averaging helps, but the network may be
trained or calibrated around it, and the reads of an input's bits err alike, so that a weight's error is
multiplied with the input as a whole. Read noise falls with the square root of the number of products. In a
single one it is larger, because each of the eight reads of an input errs by itself: the error is that of
the read that counts 128, even where the input is small. Reads are independent of each other; in a real cell
part of the noise lasts longer.
"""


def wires() -> str:
    return f"""
## Voltage lost along the wires

`noise.ir_drop` takes, for each cell, the currents of the other cells of its row and its column times the
wire that they share with it, at currents without any loss: a first-order model. Its row is driven, the
others with the chance `active_inputs`. Of the loss x that this gives, the cell keeps 1 / (1 + x): the same
to first order, never negative, and exact for a lone cell. Rows are driven, and columns read, at the corner
of the first weight. Half of the cells of an array on:

{tables.wires()}

A loss that all cells share is a gain error, and the offset coding multiplies it as it does a converter's.
Wires of an array with 6 kOhm cells have to stay far below a tenth of an ohm a cell. In cells with a
transistor whose gates are the wordlines no current flows along the rows; the loss along columns alone is
smaller. The preset has no wire resistance, as the paper gives none. Losses that are the same for all inputs
could be calibrated away; archsim does not do so.
"""


def preset() -> str:
    noise = preset_noise()
    of = crossbar(0.0, None, noise).model
    written = {mode: describe(of.noise.written_to(bits), bits) for mode, bits in (("SLC", 1), ("MLC", 2))}
    alike = WeightNoise(kind="gaussian_weight", sigma=rate_sigma())
    return f"""
## What the HyFlexPIM preset assumes

The paper applies equation 5 with the sigma for which the bit error rate of MLC cells is {100 * RATE:.2f} %,
one day after programming. A bit error rate is one of cells: `hwconfigs/hyflexpim.yaml` has equation 5 in
each cell.

```text
MLC  {written["MLC"]}
SLC  {written["SLC"]}
```

The other reading is the same sigma on whole weights: `{alike.kind}` with sigma {alike.sigma:.3g}, whose
errors the table of the section on equation 5 has. It is the milder one, but says nothing of cells, and has
no error rate.

For SLC the paper has no number. With the relative deviation of the MLC cells, SLC columns would be no
better than MLC ones, and the share of SLC would buy nothing; its accuracy results need SLC to be the safer
mode. The preset takes the notebook's 0.025 (`noise.slc_write`). By the share of the columns that is SLC:

{tables.shares_of_slc()}

An error of this size in every product is much; the paper keeps the accuracy of its networks by choosing
which ranks are SLC. To compute without noise: `--set pu.parts.analog.noise.write=none --set
pu.parts.analog.noise.slc_write=none`.
"""
