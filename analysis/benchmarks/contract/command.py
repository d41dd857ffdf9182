"""What `ape run bench_gas` does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

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
from analysis.benchmarks.contract.snapshot import COMMAND, GAS, RESULTS, Figures, changes, measure_all, read, write
from analysis.devnode.anvil import UNLIMITED, anvil
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
        NodeError: the node does not start.
    """
    logger.set_level(LogLevel.ERROR)
    artefact = artefact_of(compiled(project))
    with anvil(limited=limited) as chain:
        hcfl, naive = deploy(chain, artefact), deploy_naive(chain)
        if not limited:
            naive.gas = UNLIMITED // 2
        yield hcfl, naive


def folder_for(record: bool) -> Path:
    """Where results go: beside those of the repository only if they are to be recorded."""
    return RESULTS if record else Path(mkdtemp(prefix="hcfl-benchmark-"))


def run_gas(record: bool) -> bool:
    """Measure, show, and record or compare with what is recorded; returns whether all is as it should be."""
    console = console_of_width()
    recorded = None if record else read()
    with console.status("Playing rounds at 1, 10 and 32 models"), contracts() as (hcfl, naive):
        figures = measure_all(hcfl, naive)
    passed = judge(console, figures, recorded)
    if record:
        write(figures)
        console.print(f"Written: {GAS}", highlight=False, soft_wrap=True)
    return passed


def judge(console: Console, figures: Figures, recorded: Figures | None) -> bool:
    """Show the figures; returns whether they are as recorded, where there is a record, and none is above its target.

    A target that is known not to be met, with the reason, is shown and counts as met.
    """
    changed = [] if recorded is None else changes(recorded, figures)
    show_gas(console, figures, changed)
    for change in changed:
        console.print(f"not as recorded  {change}", highlight=False)
    missed = above_target(figures)
    for case in missed:
        gas = f"{case}, {figures.hcfl[case][TARGET_MODELS]:,} gas of {TARGETS[case]:,}"
        if case in ABOVE:
            console.print(f"known  {gas}: {ABOVE[case]}", highlight=False)
        else:
            console.print(f"[bold red]above its target[/bold red]  {gas}", highlight=False)
    if changed:
        console.print(
            f"[bold red]{len(changed)} figures are not as recorded[/bold red]; if that is right: {COMMAND}",
            highlight=False,
        )
    return not changed and not set(missed) - set(ABOVE)


def above_target(figures: Figures) -> list[Case]:
    """Every case whose target is not met."""
    return [case for case, target in TARGETS.items() if figures.hcfl[case][TARGET_MODELS] > target]


def run_scale(record: bool) -> bool:
    """The same calls in a small and in a large round; returns whether none grows by more than a hundredth."""
    console = console_of_width()
    with contracts() as (hcfl, _):
        growth = compare(hcfl, say=lambda line: console.print(line, highlight=False))
    show_growth(console, growth, SMALL, LARGE)
    path = folder_for(record) / records.SCALE.name
    records.write_scale(growth, SMALL, LARGE, path)
    console.print(f"Written: {path}", highlight=False, soft_wrap=True)
    if any(row.ratio > 1.01 for row in growth):
        console.print("[bold red]a call grows with the number of members[/bold red]")
        return False
    return True


def run_chart(record: bool) -> bool:
    """Whole rounds of every size on both contracts, and where the naive one ends."""
    console = console_of_width()

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    with contracts(limited=False) as (hcfl, naive):
        pairs = by_size(hcfl, naive, say=say)
        fits = {
            name: largest_naive_round(hcfl, naive, limit, guess_members(pairs, limit), say)
            for name, limit in LIMITS.items()
        }
    folder = folder_for(record)
    path = folder / records.ROUNDS.name
    records.write_rounds(pairs, fits, path)
    for written in (path, chart.draw(records.read_rounds(path), folder / chart.CHART.name)):
        say(f"Written: {written}")
    return True
