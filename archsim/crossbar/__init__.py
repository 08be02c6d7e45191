"""What the arrays of a machine compute: coding, converters, noise, and kernels that do it fast.

``archsim.Crossbar`` is where to start, ``program_factored`` of ``factored`` for SVD factors; docs/crossbar.md
shows both::

    programmed = archsim.Crossbar.of(machine).program(weights)
    product = programmed.multiply(inputs)  # values, conversions, saturated
"""
