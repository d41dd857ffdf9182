"""What `ape run bench_gas` does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from ape import project
from ape.logging import LogLevel, logger
from rich.console import Console

from analysis.benchmarks.contract import chart, records
from analysis.benchmarks.contract.figures import ABOVE, TARGET_MODELS, TARGETS, Case
from analysis.benchmarks.contract.naive import deploy_naive
from analysis.benchmarks.contract.scale import (
    LARGE,
    LIMITS,
    SMALL,
    by_size,
    compare,
    guess_members,
    largest_naive_round,
)
from analysis.benchmarks.contract.show import show_gas, show_growth
from analysis.benchmarks.contract.snapshot import (
    COMMAND,
    GAS,
    Figures,
    SnapshotError,
    changes,
    measure_all,
    read,
    write,
)
from analysis.devnode.anvil import UNLIMITED, NodeError, anvil
from analysis.devnode.deployment import artefact_of, deploy
from analysis.devnode.market import Market
from fl.market.deployment import compiled

FILE_WIDTH = 112


def console_of_width() -> Console:
    """Wide enough for the tables where it is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)


@contextmanager
def contracts(*, limited: bool = True) -> Iterator[tuple[Market, Market]]:
    """HCFL and the naive contract on a node of their own.

    Raises:
        click.ClickException: the node does not start.
    """
    logger.set_level(LogLevel.ERROR)
    artefact = artefact_of(compiled(project))
    try:
        with anvil(limited=limited) as chain:
            hcfl, naive = deploy(chain, artefact), deploy_naive(chain)
            if not limited:
                naive.gas = UNLIMITED // 2
            yield hcfl, naive
    except NodeError as error:
        raise click.ClickException(str(error)) from None


def run_gas(record: bool) -> None:
    """Measure, show, and record or compare with what is recorded."""
    console = console_of_width()
    with console.status("Playing rounds at 1, 10 and 32 models"), contracts() as (hcfl, naive):
        figures = measure_all(hcfl, naive)
    try:
        changed = changes(read(), figures)
    except SnapshotError as error:
        if not record:
            raise click.ClickException(str(error)) from None
        changed = []
    show_gas(console, figures, changed)
    for change in changed:
        console.print(f"{'  ' if change.within else '> '}{change}", highlight=False)
    missed = above_target(figures)
    for case in missed:
        reason = f": {ABOVE[case]}" if case in ABOVE else ""
        gas = figures.hcfl[case][TARGET_MODELS]
        console.print(f"above its target  {case}, {gas:,} gas of {TARGETS[case]:,}{reason}", highlight=False)
    if record:
        write(figures)
        console.print(f"Written: {GAS}", highlight=False)
        return
    far = [change for change in changed if not change.within]
    if far:
        console.print(
            f"[bold red]{len(far)} figures are off by more than 1 %[/bold red]; if that is right: {COMMAND}",
            highlight=False,
        )
    if far or set(missed) - set(ABOVE):
        sys.exit(1)


def above_target(figures: Figures) -> list[Case]:
    """Every case whose target is not met."""
    return [case for case, target in TARGETS.items() if figures.hcfl[case][TARGET_MODELS] > target]


def run_scale() -> None:
    """The same calls in a small and in a large round; exits with 1 if one grows by more than a hundredth."""
    console = console_of_width()
    with contracts() as (hcfl, _):
        growth = compare(hcfl, say=lambda line: console.print(line, highlight=False))
    show_growth(console, growth, SMALL, LARGE)
    records.write_scale(growth, SMALL, LARGE)
    console.print(f"Written: {records.SCALE}", highlight=False)
    if any(row.ratio > 1.01 for row in growth):
        console.print("[bold red]a call grows with the number of members[/bold red]")
        sys.exit(1)


def run_chart() -> None:
    """Whole rounds of every size on both contracts, and where the naive one ends."""
    console = console_of_width()

    def say(line: str) -> None:
        console.print(line, highlight=False)

    with contracts(limited=False) as (hcfl, naive):
        pairs = by_size(hcfl, naive, say=say)
        fits = {
            name: largest_naive_round(hcfl, naive, limit, guess_members(pairs, limit), say)
            for name, limit in LIMITS.items()
        }
    records.write_rounds(pairs, fits)
    for path in (records.ROUNDS, chart.draw(records.read_rounds())):
        say(f"Written: {path}")
