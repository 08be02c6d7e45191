"""Multiplications and additions a second of the crossbar kernels, as ratios in one run.

Method: an INT8 matrix of 1024 x 1024 on arrays of 64 rows times 128 INT8 vectors, offset-coded weights and
two's complement inputs; a MAC is one of rows * columns * batch, whatever slices and reads it takes. All rows
are measured in turn, several times, and the best time of each counts: processor time with one thread, wall
time with more, and rows with more threads say little where other programs run. dgemm of the same shape on
one thread is the yardstick: a processor that is slower today is so for it too. Each kernel runs once before
it is timed, where code is compiled, or loaded from numba's cache. CrossSim and AIHWKIT are measured where
they can be imported.

    python benchmarks/crossbar.py
    python benchmarks/crossbar.py --rows 512 --columns 512 --batch 64
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported, which reads it once

import numba
import numpy as np

from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells, store
from archsim.crossbar.coding import Planes, input_planes, slice_weights
from archsim.crossbar.digital import integer_product
from archsim.crossbar.noisy_kernel import noisy_product
from archsim.crossbar.packed_kernel import packed_levels, packed_product
from archsim.parts.arithmetic import AdditiveNoise, ArithmeticModel, NoNoise

Work = Callable[[], object]

MODES = {"SLC": 1, "MLC": 2}
"""Bits of a cell."""

YARDSTICK = "dgemm"

PROCESSORS = {
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""},
    "SSE2": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}
"""What numba is told that the processor is, for the rows without AVX-512."""


def kernel_cases(weights: np.ndarray, inputs: np.ndarray) -> dict[str, Work]:
    """The kernels in both modes of the cells."""
    arithmetic = ArithmeticModel(weights="offset", inputs="twos_complement")
    planes = input_planes(inputs, 8, arithmetic)
    generator = np.random.default_rng(1)
    cases: dict[str, Work] = {}
    for mode, cell_bits in MODES.items():
        cells = store(slice_weights(weights, 8, cell_bits, arithmetic), cell_bits, 64, None, False)
        deviation = 1 + 0.025 * generator.standard_normal(cells.levels.shape, dtype=np.float32)
        written = replace(cells, conductance=cells.levels * deviation)
        cases |= mode_cases(mode, planes, cells, written, Converter(0, 2 ** (5 + cell_bits) - 1))
    return cases


def mode_cases(
    mode: str, planes: Planes, cells: Cells, written: Cells, converter: Converter
) -> dict[str, Work]:
    """The kernels in one mode of the cells."""
    coarse = replace(converter, step=1.1)
    bent = replace(converter, inl_lsb=(0.0, 0.7, 0.0))
    packed = packed_levels(cells)
    noise = AdditiveNoise(kind="gaussian_additive", sigma=0.02)
    return {
        f"ideal {mode}, unit steps": lambda: packed_product(planes, cells, converter, packed),
        f"ideal {mode}, cells packed afresh": lambda: packed_product(planes, cells, converter),
        f"ideal {mode}, steps of 1.1 levels": lambda: packed_product(planes, cells, coarse, packed),
        f"ideal {mode}, INL table": lambda: packed_product(planes, cells, bent, packed),
        f"frozen noise {mode}": lambda: noisy_product(planes, written, converter, NoNoise(), (0,)),
        f"frozen and read noise {mode}": lambda: noisy_product(planes, written, converter, noise, (0,)),
    }


def blas_cases(weights: np.ndarray, inputs: np.ndarray) -> dict[str, Work]:
    """Matrix products, and the path for columns that cannot saturate."""
    real = {kind: (inputs.astype(kind), weights.astype(kind)) for kind in (np.float64, np.float32)}
    return {
        YARDSTICK: lambda: np.matmul(*real[np.float64]),
        "sgemm": lambda: np.matmul(*real[np.float32]),
        "lossless columns": lambda: integer_product(inputs, weights),
    }


def other_cases(weights: np.ndarray, inputs: np.ndarray) -> dict[str, Work]:
    """Published simulators, where they are installed."""
    cases: dict[str, Work] = {}
    if importlib.util.find_spec("simulator") and importlib.util.find_spec("simulator.parameters"):
        cases |= {f"CrossSim ideal {mode}": crosssim(weights, inputs, bits) for mode, bits in MODES.items()}
    if importlib.util.find_spec("aihwkit"):
        cases["AIHWKIT inference tile, not bit-serial"] = aihwkit(weights, inputs)
    for name, module in (("CrossSim", "simulator"), ("AIHWKIT", "aihwkit")):
        if not importlib.util.find_spec(module):
            print(f"{name} is not installed", file=sys.stderr)
    return cases


def crosssim(weights: np.ndarray, inputs: np.ndarray, cell_bits: int) -> Work:
    """CrossSim 3 with bit slices, bit-serial inputs and an ADC for each slice and input bit."""
    from simulator import AnalogCore, CrossSimParameters

    parameters = CrossSimParameters()
    parameters.core.style = "BITSLICED"
    parameters.core.weight_bits = 8
    parameters.core.rows_max = 64
    parameters.core.bit_sliced.style = "OFFSET"
    parameters.core.bit_sliced.num_slices = 8 // cell_bits
    parameters.xbar.device.cell_bits = cell_bits
    parameters.xbar.dac.mvm.model = "SignMagnitudeDAC"
    parameters.xbar.dac.mvm.bits = 8
    parameters.core.mapping.inputs.mvm.min, parameters.core.mapping.inputs.mvm.max = -128.0, 128.0
    parameters.xbar.dac.mvm.signed = True
    parameters.xbar.dac.mvm.input_bitslicing = True
    parameters.xbar.dac.mvm.slice_size = 1
    parameters.xbar.adc.mvm.model = "QuantizerADC"
    parameters.xbar.adc.mvm.bits = 5 + cell_bits
    parameters.xbar.adc.mvm.adc_per_ibit = True
    parameters.xbar.adc.mvm.adc_range_option = "MAX"
    core = AnalogCore(weights.T.astype(np.float64), parameters)
    batch = inputs.T.astype(np.float64)
    return lambda: core.matmat(batch)


def aihwkit(weights: np.ndarray, inputs: np.ndarray) -> Work:
    """AIHWKIT's inference tile: noise of its presets, converters at its edges, no slices and no bits."""
    import torch
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import InferenceRPUConfig

    torch.set_num_threads(1)
    rows, columns = weights.shape
    configuration = InferenceRPUConfig()
    configuration.mapping.max_input_size = configuration.mapping.max_output_size = 0
    layer = AnalogLinear(rows, columns, bias=False, rpu_config=configuration).eval()
    batch = torch.from_numpy(inputs.astype(np.float32) / 128)

    def forward() -> object:
        with torch.no_grad():
            return layer(batch)

    return forward


def measure(cases: dict[str, Work], repetitions: int, threads: int = 1) -> dict[str, float]:
    """The best time of each case, in seconds."""
    numba.config.NUMBA_NUM_THREADS = threads
    clock = time.process_time if threads == 1 else time.perf_counter
    best: dict[str, float] = {}
    for repetition in range(repetitions + 1):
        for name, work in cases.items():
            begin = clock()
            work()
            took = clock() - begin
            if repetition:
                best[name] = min(took, best.get(name, took))
    return best


def without_avx512(options: argparse.Namespace, environment: dict[str, str]) -> dict[str, float]:
    """The kernels in a process whose compiled code knows no AVX-512."""
    shape = [f"--{name}={getattr(options, name)}" for name in ("rows", "columns", "batch", "repetitions")]
    run = subprocess.run(
        [sys.executable, __file__, *shape, "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    times: dict[str, float] = json.loads(run.stdout)
    return times


def show(title: str, times: dict[str, float], macs: int, yardstick: float) -> None:
    """A row for each case."""
    print(title)
    for name, seconds in times.items():
        rate, ratio = macs / seconds / 1e9, yardstick / seconds
        print(f"  {name:40}{rate:9.2f} GMAC/s{1000 * seconds:9.1f} ms{ratio:8.3f} of dgemm")


def main() -> None:
    """Print a table of rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("rows", 1024), ("columns", 1024), ("batch", 128), ("repetitions", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="only the kernels on one thread, in seconds")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    weights = generator.integers(-128, 128, (options.rows, options.columns))
    inputs = generator.integers(-128, 128, (options.batch, options.rows))
    kernels, blas = kernel_cases(weights, inputs), blas_cases(weights, inputs)
    if options.json:
        print(json.dumps(measure({YARDSTICK: blas[YARDSTICK], **kernels}, options.repetitions)))
        return
    macs = options.rows * options.columns * options.batch
    print(f"{options.rows} x {options.columns} x {options.batch}, {macs / 1e6:.0f} million MACs")
    times = measure({**blas, **kernels, **other_cases(weights, inputs)}, options.repetitions)
    show("one thread", times, macs, times[YARDSTICK])
    threads = os.cpu_count() or 1
    if threads > 1:
        show("two threads", measure(kernels, options.repetitions, 2), macs, times[YARDSTICK])
    for name, environment in PROCESSORS.items():
        slower = without_avx512(options, environment)
        yardstick = slower.pop(YARDSTICK)
        show(f"one thread, kernels compiled for {name}", slower, macs, yardstick)


if __name__ == "__main__":
    main()
