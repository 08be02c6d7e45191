"""What ``archsim crossbar`` shows: a product as the arrays compute it, and as the simulator times it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.deviation import Deviation, deviation
from archsim.crossbar.error_rate import describe
from archsim.crossbar.factored import RealProduct, program_factors, svd_factors
from archsim.crossbar.program import Crossbar, Programmed
from archsim.errors import MappingError
from archsim.hardware.machine import Machine, build_machine
from archsim.pipeline import simulate
from archsim.workload.operations import Operation, Phase, Precision, Trace

RANDOM_INPUTS, RANDOM_SAMPLES = 1, 2
"""Streams of random numbers, beside that of the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One product.

    Args: matrix: (rows, columns); given: (batch, rows), or None for ``batch`` random vectors; svd: whether
        the matrix is stored as two factors.
    """

    machine: Machine
    matrix: NDArray[Any]
    given: NDArray[Any] | None
    batch: int
    weight_bits: int
    input_bits: int
    svd: bool
    seed: int

    @property
    def crossbar(self) -> Crossbar:
        """The arithmetic of the machine's arrays."""
        return Crossbar.of(self.machine, self.weight_bits, self.input_bits)

    @property
    def inputs(self) -> NDArray[Any]:
        """(batch, rows) the vectors."""
        return self._random(RANDOM_INPUTS) if self.given is None else self.given

    @property
    def samples(self) -> NDArray[Any] | None:
        """(batch, rows) vectors for a calibrated converter, if it is one."""
        if self.crossbar.model.adc.range != "calibrated":
            return None
        return self._random(RANDOM_SAMPLES) if self.given is None else self.given

    def _random(self, stream: int) -> NDArray[np.float64]:
        numbers = np.random.default_rng((self.seed, stream)).standard_normal((self.batch, len(self.matrix)))
        return np.abs(numbers) if self.crossbar.model.arithmetic.inputs == "unsigned" else numbers


def demonstrate(job: Job) -> dict[str, Any]:
    """The product in SLC, in MLC and as the machine's hybrid, as plain data.

    Raises: CrossbarError: when the machine has no analog arrays, or they cannot take the numbers.
    """
    rates = {"slc": 1.0, "mlc": 0.0, "hybrid": job.crossbar.slc_rate}
    factors = svd_factors(job.matrix) if job.svd else None
    stored, modes = {}, {}
    for mode, rate in rates.items():
        crossbar = replace(job.crossbar, slc_rate=rate)
        stored[mode], computed = _factored(job, crossbar, *factors) if factors else _whole(job, crossbar)
        modes[mode] = {"slc_rate": rate, **computed, **_cost(job, rate)}
    rank = stored["slc"][0].columns if job.svd else None
    return {
        "hardware": job.machine.name,
        "rows": job.matrix.shape[0],
        "columns": job.matrix.shape[1],
        "rank": rank,
        "batch": job.batch,
        "seed": job.seed,
        **_setting(job.crossbar),
        "converters": [each for mode in ("slc", "mlc") for each in _converters(stored[mode])],
        "noise": _noise(job.crossbar),
        "modes": modes,
    }


def _whole(job: Job, crossbar: Crossbar) -> tuple[list[Programmed], dict[str, Any]]:
    """The matrix as it is: what is stored, and how far its product is from the exact one."""
    samples = job.samples
    if samples is not None:
        samples, _ = _integers(crossbar, samples)
    programmed = crossbar.program(job.matrix, samples=samples, seed=job.seed)
    whole, scale = _integers(crossbar, job.inputs)
    found = programmed.multiply(whole, seed=job.seed)
    product = RealProduct(found.values * (scale * programmed.scale), found.conversions, found.saturated, 0)
    exact = programmed.exact(whole)
    return [programmed], _errors(job, product, deviation(found.values, exact))


def _factored(
    job: Job, crossbar: Crossbar, first: NDArray[Any], second: NDArray[Any]
) -> tuple[list[Programmed], dict[str, Any]]:
    """The same for its two factors."""
    factored = program_factors(crossbar, first, second, samples=job.samples, seed=job.seed)
    product = factored.multiply(job.inputs, seed=job.seed)
    errors = deviation(product.values, factored.exact(job.inputs))
    return [factored.first, factored.second], _errors(job, product, errors)


def _integers(crossbar: Crossbar, vectors: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Vectors as whole numbers, with their scale; those that are whole stay as they are."""
    if np.issubdtype(vectors.dtype, np.integer):
        return vectors, 1.0
    quantised = crossbar.quantise_inputs(vectors)
    return quantised.values, float(quantised.scale[0])


def _errors(job: Job, product: RealProduct, errors: Deviation) -> dict[str, Any]:
    real = deviation(product.values, job.inputs.astype(np.float64) @ job.matrix.astype(np.float64))
    return {
        "conversions": product.conversions,
        "saturated": product.saturated,
        "clipped": product.clipped,
        "error": _of_deviation(errors),
        "error_of_real": _of_deviation(real),
    }


def _of_deviation(errors: Deviation) -> dict[str, Any]:
    relative = {"relative_rms": errors.relative_rms, "relative_largest": errors.relative_largest}
    return {**asdict(errors), **relative}


def _cost(job: Job, rate: float) -> dict[str, Any]:
    """Energy and time of the batch on one PU with one copy of the matrix, from the simulator."""
    model = job.machine.model
    settings = {
        "slc_rate": rate,
        "svd": "hard_threshold" if job.svd else "none",
        "replication": "none",
        "tensor_parallel": 1,
    }
    mapping = model.mapping.model_copy(update=settings)
    machine = build_machine(model.model_copy(update={"mapping": mapping}), job.machine.file)
    rows, columns = job.matrix.shape
    precision = Precision(weight_bits=job.weight_bits, activation_bits=job.input_bits)
    product = Operation("product", "linear", 0, rows=rows, columns=columns)
    phases = (Phase("prefill", tokens=job.batch),)
    trace = Trace("product", "full", 1, precision, phases, (product,))
    try:
        result = simulate(machine, trace, stream=False)
    except MappingError as error:
        return {"cost": None, "refused": "; ".join(finding.message for finding in error.findings)}
    part = machine.mapping.executor("linear")
    energy = result.energy_pj
    of_part = {name: each for name, each in energy["by_component"].items() if name.startswith(f"{part}.")}
    cost = {
        "arrays": result.mapping["parts"][part]["used"],
        "array_energy_pj": sum(of_part.values()),
        "array_energy_per_mac_pj": sum(of_part.values()) / (rows * columns * job.batch),
        "transfer_energy_pj": energy["per_inference"] - energy["static"] - sum(of_part.values()),
        "by_component_pj": of_part,
        "latency_ns": result.latency_ns["total"],
    }
    return {"cost": cost, "refused": ""}


def _setting(crossbar: Crossbar) -> dict[str, Any]:
    model = crossbar.model
    return {
        "weights": {
            "bits": crossbar.weight_bits,
            "coding": model.arithmetic.weights,
            "scales": model.arithmetic.scales,
            "cells": {mode: model.cells_per_weight(mode, crossbar.weight_bits) for mode in ("slc", "mlc")},
            "cell_bits": {mode: model.cell.mode_bits(mode) for mode in ("slc", "mlc")},
        },
        "inputs": {
            "bits": crossbar.input_bits,
            "coding": model.arithmetic.inputs,
            "reads": model.arithmetic.reads_per_input(crossbar.input_bits),
        },
        "arrays": {"rows": model.array.rows, "wordlines_per_access": model.array.wordlines_per_access},
        "adc": {"range": model.adc.range, "rounding": model.adc.rounding},
    }


def _converters(stored: list[Programmed]) -> list[dict[str, Any]]:
    """The converter for a matrix, or for each of its factors, that is stored in one mode."""
    found = []
    for number, programmed in enumerate(stored):
        (piece,), bits = programmed.pieces, programmed.crossbar.model.adc.bits
        converter = piece.converter
        found.append(
            {
                "mode": piece.mode,
                "factor": ("first", "second")[number] if len(stored) > 1 else "",
                "bits": bits.slc if piece.mode == "slc" else bits.mlc,
                "codes": converter.highest - converter.lowest + 1,
                "step_levels": converter.step,
                "least_levels": converter.lowest * converter.step + converter.zero,
                "most_levels": converter.highest * converter.step + converter.zero,
                "full_sum_levels": piece.cells.full_sum,
            }
        )
    return found


def _noise(crossbar: Crossbar) -> dict[str, Any]:
    """What the cells do to the numbers, in words: each deviation with its error rates."""
    noise, cell = crossbar.model.noise, crossbar.model.cell
    bits = {mode: cell.mode_bits(mode) for mode in ("slc", "mlc")}
    return {
        "write": {mode: describe(noise.written_to(each), each, cell.device) for mode, each in bits.items()},
        "read": {mode: describe(noise.read, each, cell.device) for mode, each in bits.items()},
        "stuck_lowest": noise.stuck.lowest,
        "stuck_highest": noise.stuck.highest,
        "wire_ohm": noise.ir_drop.wire_ohm,
    }
