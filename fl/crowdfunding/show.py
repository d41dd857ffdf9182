"""A round on the terminal: what happens as it happens, then what it came to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fl.crowdfunding.play import Played
from fl.crowdfunding.watcher import Watcher
from fl.market.members import Member
from fl.market.terms import GWEI

Document = dict[str, Any]


class RichWatcher(Watcher):
    """Shows every phase and what each member does in it."""

    def __init__(self, console: Console):
        self._console = console

    def phase(self, title: str, detail: str) -> None:
        """A heading."""
        super().phase(title, detail)
        self._console.print(f"\n[bold]{title}[/bold]  {detail}", highlight=False)

    def did(self, who: str, what: str) -> None:
        """A line."""
        super().did(who, what)
        self._console.print(f"  {who:<15} {what}", highlight=False)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar."""
        columns = (TextColumn("  {task.description:<15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(title, total=total)
            yield lambda: progress.advance(task)


def gwei(wei: int) -> str:
    """Wei as gwei with nine decimals at most, exact."""
    whole, rest = divmod(abs(wei), GWEI)
    text = f"{whole:,}" + (f".{rest:09}".rstrip("0") if rest else "")
    return "-" + text if wei < 0 else text


def short_gwei(wei: int) -> str:
    """Wei as gwei, to two decimals."""
    return f"{wei / GWEI:,.2f}"


def show_tables(console: Console, document: Document, played: Played) -> None:
    """The models, every member's account, the accuracy by round, and where every wei went."""
    for table in (
        _models(document),
        _members("Owners", document["owners"], played.owners, document, _OWNER_COLUMNS),
        _members("Base stations", document["base_stations"], played.base_stations, document, _STATION_COLUMNS),
        _accuracy(document),
        _money(document, played),
    ):
        if table is not None:
            console.print()
            console.print(table)


def _table(title: str, *columns: str, left: int = 1) -> Table:
    padding = (0, 2, 0, 0)
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=padding, min_width=48
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=number != 1 or left < 2)
    return table


def _models(document: Document) -> Table:
    table = _table("Models (gwei)", "model", "targets", "claim", "value", "cost", "margin", "", left=2)
    for index, model in enumerate(document["models"]):
        table.add_row(
            str(index),
            " ".join(model["targets"]),
            f"{model['claimed_accuracy']:.0%}",
            *(gwei(model[key]) for key in ("value", "cost", "margin")),
            "selected" if index == document["selected"] else "" if model["live"] else "not live",
        )
    return table


_OWNER_COLUMNS = {"share": "share", "tax": "tax", "slashed": "slashed"}
_STATION_COLUMNS = {"reward": "reward", "tax": "tax", "forfeited": "forfeited", "slashed": "slashed"}


def _members(
    title: str, entries: list[Document], members: tuple[Member, ...], document: Document, columns: dict[str, str]
) -> Table:
    table = _table(f"{title} (gwei)", "", "bids", *columns.values(), "net utility", left=2)
    for entry, member in zip(entries, members, strict=True):
        table.add_row(
            member.name,
            " ".join(map(str, entry["bids"])) if entry["revealed"] else "not revealed",
            *(short_gwei(entry[key]) for key in columns),
            short_gwei(_true_worth(member, entry, document) * GWEI - entry["payment"]),
        )
    return table


def _true_worth(member: Member, entry: Document, document: Document) -> int:
    """What the outcome is worth to a member by its own numbers, gwei: its value of the model, or less its cost."""
    if document["selected"] is None or document["status"] != "settled" or member.sealed is None:
        return 0
    truth = member.sealed.bids[document["selected"]]
    if entry in document["owners"]:
        return truth
    return -truth if entry["recorded"] else 0


def _accuracy(document: Document) -> Table | None:
    training = document["training"]
    if training is None:
        return None
    title = f"Accuracy on the target labels ({training['model']} on {training['dataset']})"
    table = _table(title, "global round", "accuracy", "loss")
    for epoch in training["epochs"]:
        table.add_row(str(epoch["epoch"] + 1), f"{epoch['accuracy']:.2%}", f"{epoch['loss']:.4f}")
    table.add_row("reported", f"{training['final_accuracy']:.2%}", "")
    table.add_row("claimed", f"{training['claimed_accuracy']:.2%}", "")
    return table


def _money(document: Document, played: Played) -> Table:
    owners, stations = document["owners"], document["base_stations"]
    everybody = owners + stations
    shares, rewards = sum(entry["share"] for entry in owners), sum(entry["reward"] for entry in stations)
    collected = document["collected"]["owners"] + document["collected"]["base_stations"]
    rebates = sum(played.rebates.values())
    table = _table("Where every wei went (gwei, exact)", "", "")
    locked = sum(member.lock for member in played.record.members.values())
    table.add_row("locked by all members", gwei(locked))
    table.add_row("owners' shares", gwei(shares))
    table.add_row("base stations' rewards", gwei(rewards))
    table.add_row("Clarke taxes", gwei(sum(entry["tax"] for entry in everybody)))
    table.add_row("slashed bonds", gwei(sum(entry["slashed"] for entry in everybody)))
    table.add_row("forfeited rewards", gwei(sum(entry["forfeited"] for entry in everybody)))
    table.add_row("collected for recycling", gwei(collected))
    table.add_row("recycled as rebates", gwei(rebates))
    table.add_row("left in the round (dust)", gwei(played.escrow_left))
    return table
