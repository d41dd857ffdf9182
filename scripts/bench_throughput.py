"""`ape run bench_throughput`: commits, reveals and settlements a second, beside plain transfers."""

import click

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
from fl.commands.command import Command


@click.command(cls=Command)
@click.option("--quick", is_flag=True, help="A smaller round and no 12 s blocks: two minutes.")
@click.option("--write", is_flag=True, help="Record the results (results/throughput.json).")
def cli(quick: bool, write: bool) -> None:
    """Measure how many members a node can serve a second.

    Signed transactions are sent in batches to a node that this command starts: plain transfers, commits, reveals,
    settlements alone and in batches of 50; without limits, and with blocks of 30M gas every second and every 12 s.
    Ends with the largest round that fits an hour of 12 s blocks. Takes about ten minutes.
    """
    from analysis.benchmarks.contract.throughput_command import run_throughput

    if quick and write:
        raise click.UsageError("the recorded results are those of the whole benchmark: leave --quick or --write out")
    run_throughput(quick, write)
