"""Which design is best? Spaces of designs, a store that loses no point, sweeps, and Pareto sets."""
