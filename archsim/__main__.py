"""``python -m archsim``: the command line."""

from archsim.cli.main import run

run()
