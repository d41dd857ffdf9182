"""`ape run bench_gas`: the gas of every call, beside targets, floors, peers and a naive contract."""

import sys

import click

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
from fl.commands.command import Command


@click.command(cls=Command)
@click.option("--write", is_flag=True, help="Record the results under analysis/benchmarks/contract/results.")
@click.option("--scale", is_flag=True, help="Instead: the same calls in rounds of 20 and of 2,000 members.")
@click.option("--chart", is_flag=True, help="Instead: whole rounds of 8 to 2,000 members on both contracts, drawn.")
def cli(write: bool, scale: bool, chart: bool) -> None:
    """Measure the gas of every state-changing call at 1, 10 and 32 models.

    Every figure is the receipt of a real transaction on a node that this command starts. Exits with 1 if a figure is
    not as recorded or above its target. --scale and --chart take some minutes, and leave their results in a new folder
    outside the checkout, or with --write where those of the repository are.
    """
    from analysis.benchmarks.contract.command import run_chart, run_gas, run_scale

    if scale and chart:
        raise click.UsageError("--scale and --chart are two things: choose one")
    passed = run_scale(write) if scale else run_chart(write) if chart else run_gas(write)
    if not passed:
        sys.exit(1)
