"""What `ape run bench_throughput` does."""

from ape import project
from ape.logging import LogLevel, logger
from rich.console import Console
from rich.table import Table

from analysis.benchmarks.contract.command import console_of_width
from analysis.benchmarks.contract.load import LoadError
from analysis.benchmarks.contract.records import THROUGHPUT, write_throughput
from analysis.benchmarks.contract.snapshot import read
from analysis.benchmarks.contract.throughput import (
    BLOCK_GAS,
    HOUR_BLOCK_SECONDS,
    MEMBERS,
    QUICK_MEMBERS,
    QUICK_SETTINGS,
    SETTINGS,
    HourRound,
    Measured,
    largest_round,
    measure,
    phases,
)
from analysis.devnode.deployment import artefact_of
from fl.market.deployment import compiled


def run_throughput(quick: bool, record: bool) -> None:
    """Measure, show, derive the largest round of an hour, and record.

    Raises:
        Fault: the node does not start, refuses or is too slow, or nothing is recorded of the gas of calls.
    """
    logger.set_level(LogLevel.ERROR)
    console = console_of_width()
    members, settings = (QUICK_MEMBERS, QUICK_SETTINGS) if quick else (MEMBERS, SETTINGS)
    figures = read()
    try:
        with console.status("Signing and sending") as status:
            measured = measure(
                artefact_of(compiled(project)),
                members,
                settings,
                lambda done: status.update(f"{done.setting}: {done.step}, {done.load.a_second:,.0f} a second"),
            )
    except TimeoutError as error:
        raise LoadError("the node does not answer any more: this machine is too busy, try again") from error
    _show(console, measured)
    fill = _fill(measured)
    hour = largest_round(phases(figures), fill)
    _show_hour(console, hour, fill)
    if record:
        write_throughput(measured, members, fill, hour)
        console.print(f"Written: {THROUGHPUT}", highlight=False)


def _fill(measured: list[Measured]) -> float:
    """The least part of a block that a step of a round filled, in the slowest blocks that were measured."""
    slowest = max(done.setting.block_seconds or 0 for done in measured)
    fills = (m.load.fill(BLOCK_GAS) for m in measured if m.setting.block_seconds == slowest and m.step != "transfer")
    return min(fill for fill in fills if fill is not None)


def _show(console: Console, measured: list[Measured]) -> None:
    table = Table(title="Members served a second", title_justify="left")
    for title in ("blocks", "step"):
        table.add_column(title)
    for title in ("transactions", "blocks", "largest", "filled", "a second", "of transfers"):
        table.add_column(title, justify="right")
    ceilings = {done.setting: done.load.a_second for done in measured if done.step == "transfer"}
    before = None
    for done in measured:
        if before not in (None, done.setting):
            table.add_section()
        load, fill = done.load, done.load.fill(BLOCK_GAS) if done.setting.block_seconds else None
        full = max(block.transactions for block in load.blocks)
        table.add_row(
            str(done.setting) if done.setting != before else "",
            done.step,
            f"{load.transactions:,}",
            f"{len(load.blocks):,}",
            f"{full:,}" if done.setting.block_seconds else "",
            "" if fill is None else f"{fill:.1%}",
            f"{load.a_second:,.0f}",
            f"{load.a_second / ceilings[done.setting]:.0%}",
        )
        before = done.setting
    console.print(table)


def _show_hour(console: Console, hour: HourRound, fill: float) -> None:
    blocks = ", ".join(f"{name} {count}" for name, count in hour.blocks.items())
    console.print(
        f"The largest round in an hour of {HOUR_BLOCK_SECONDS} s blocks: {hour.members:,} members. Assumed: nobody "
        f"else uses the chain, blocks of {BLOCK_GAS:,} gas are filled to {fill:.1%} as measured, phases follow each "
        "other at once, every account is new, each call takes what `ape run bench_gas` has recorded for ten models.\n"
        f"Blocks: {blocks}.",
        highlight=False,
    )
