"""`python -m convcalc`."""

from convcalc.cli import main

main(prog_name="convcalc")
