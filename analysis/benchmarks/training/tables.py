"""The figures for people: tables in the terminal, and the same on a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis.benchmarks.training import measures
from analysis.benchmarks.training.lineup import CONTENDERS, PLAIN
from analysis.benchmarks.training.measures import Spread
from analysis.benchmarks.training.record import Measured, Record
from analysis.benchmarks.training.targets import figures

HEADS = (
    "contender",
    "s a round",
    "as fast as the plain loop",
    "start, s",
    "three rounds with start, s",
    "peak memory, GB",
    "accuracy",
)
NOT_MEASURED = "-"


def rows(measured: Measured) -> list[tuple[str, ...]]:
    """One row per contender, in the lineup's order."""
    passes = measured.passes
    found: list[tuple[str, ...]] = []
    for name, contender in CONTENDERS.items():
        seconds = measures.seconds(passes, name)
        if seconds is None:
            continue
        peak, accuracy = measures.peak(passes, name), measures.accuracy(passes, name)
        found.append(
            (
                contender.title,
                spread(seconds, 2),
                spread(measures.ratio(passes, PLAIN, name), 2, "× "),
                spread(measures.start(passes, name), 1, only_median=True),
                spread(measures.whole(passes, name), 1, only_median=True),
                NOT_MEASURED if peak is None else f"{peak / 1e9:.2f}",
                NOT_MEASURED if accuracy is None else f"{accuracy.median:.4f}",
            )
        )
    return found


def spread(value: Spread | None, digits: int, prefix: str = "", only_median: bool = False) -> str:
    """A median, and what it lies between."""
    if value is None:
        return NOT_MEASURED
    middle = f"{prefix}{value.median:.{digits}f}"
    return middle if only_median else f"{middle} ({value.least:.{digits}f} to {value.most:.{digits}f})"


def goals(measured: Mapping[str, Measured], device: str) -> list[tuple[str, ...]]:
    """One row per target: workload, what, the figure, the verdict."""
    lines: list[tuple[str, ...]] = []
    for target, figure in figures(measured, device):
        if figure is None:
            lines.append((target.workload, target.text, NOT_MEASURED, "still to be measured"))
        else:
            verdict = "reached" if target.reached(figure) else "missed"
            lines.append((target.workload, target.text, f"{figure:.2f} {target.unit}", verdict))
    return lines


GOAL_HEADS = ("workload", "target", "measured", "")


def to_console(console: Console, record: Record) -> None:
    """Tables of all workloads, and the targets."""
    for measured in record.measured.values():
        table = Table(*HEADS, title=f"{measured.workload.name}: {measured.workload.title}", title_justify="left")
        for row in rows(measured):
            table.add_row(*row)
        console.print(table)
    table = Table(*GOAL_HEADS, title="targets", title_justify="left")
    for row in goals(record.measured, record.device):
        table.add_row(*row, style="red" if row[-1] == "missed" else None)
    console.print(table)


def page(record: Record, source: str) -> str:
    """All of it as Markdown.

    Args:
        record: what was measured.
        source: name of its file.
    """
    machine = record.machine
    where = machine.get("gpu") or f"{machine['processor']} ({machine['instructions']})"
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    lines = [
        "# Training, side by side",
        "",
        f"From [`{source}`]({source}), which `make bench-training ARGS=--write` writes: {where}, {machine['cores']} "
        f"cores, {machine['system']}; {versions}. [How it is measured](../README.md).",
    ]
    for measured in record.measured.values():
        workload, count = measured.workload, len(measured.passes)
        lines += [
            "",
            f"## {workload.name}: {workload.title}",
            "",
            f"{workload.train_images:,} images, {workload.local_epochs} local epochs, {count} "
            f"pass{'' if count == 1 else 'es'}; accuracy on {measured.judged_on:,} test images.",
            "",
            *_table(HEADS, rows(measured)),
        ]
    lines += ["", "## Targets", "", *_table(GOAL_HEADS, goals(record.measured, record.device)), ""]
    return "\n".join(lines)


def _table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *lines)]


def write_page(record: Record, path: Path) -> Path:
    """Write the page beside the record that lies at `path`."""
    beside = path.with_suffix(".md")
    beside.write_text(page(record, path.name), encoding="utf-8")
    return beside
