"""What converters, codings and noise do to a product: the figures of docs/numerics.md.

``measure`` has the functions that read figures off archsim.crossbar; ``tables`` makes tables of them, and
``page`` writes the page.
"""
