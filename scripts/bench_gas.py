"""`ape run bench_gas`: the gas of every call, beside targets, floors, peers and a naive contract."""

import click

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401


@click.command()
@click.option("--write", is_flag=True, help="Record the figures in analysis/benchmarks/contract/results/gas.json.")
@click.option("--scale", is_flag=True, help="Instead: the same calls in rounds of 20 and of 2,000 members.")
@click.option("--chart", is_flag=True, help="Instead: whole rounds of 4 to 2,000 members on both contracts, drawn.")
def cli(write: bool, scale: bool, chart: bool) -> None:
    """Measure the gas of every state-changing call at 1, 10 and 32 models.

    Every figure is the receipt of a real transaction on a node that this command starts. Figures that are not those
    recorded are marked; the command exits with 1 if one is off by more than 1 %, or above its target.
    --scale and --chart write their results under analysis/benchmarks/contract/results, and take some minutes.
    """
    from analysis.benchmarks.contract.command import run_chart, run_gas, run_scale

    if write + scale + chart > 1:
        raise click.UsageError("--write, --scale and --chart are three things: choose one")
    if scale:
        run_scale()
    elif chart:
        run_chart()
    else:
        run_gas(write)
