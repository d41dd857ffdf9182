"""A round on the terminal: what happens as it happens, then what it came to."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fl.crowdfunding.cast import Played
from fl.crowdfunding.watcher import Watcher
from fl.market.terms import GWEI
from fl.market.words import gwei, short_gwei
from fl.members.acts import Member
from fl.record.document import MemberEntry, RoundDocument

_NAME = 15
"""Columns of a member's name."""


class RichWatcher(Watcher):
    """Shows every phase and what each member does in it."""

    def __init__(self, console: Console):
        self._console = console

    def phase(self, title: str, detail: str) -> None:
        """A heading."""
        super().phase(title, detail)
        self._console.print()
        self._row(f"[bold]{title}[/bold]", escape(detail), 0)

    def did(self, who: str, what: str) -> None:
        """A line."""
        super().did(who, what)
        self._row(escape(who), escape(what), 2)

    def _row(self, name: str, text: str, indent: int) -> None:
        """Wrapped beside its name: at 60 columns an address has its line."""
        row = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        row.add_column(min_width=_NAME)
        row.add_column()
        row.add_row(name, text)
        self._console.print(Padding(row, (0, 0, 0, indent)), highlight=False)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar."""
        columns = (TextColumn("  {task.description:<15}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
        shown = self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=not shown) as progress:
            task = progress.add_task(title, total=total)
            yield lambda: progress.advance(task)


def show_tables(console: Console, document: RoundDocument, played: Played) -> None:
    """The models, what the round came to for each member, the accuracy by round, and where every wei went."""
    for table in (
        _models(document),
        _members(document, played),
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


def _models(document: RoundDocument) -> Table:
    table = _table("Models (gwei)", "model", "targets", "claim", "value", "cost", "margin", "", left=2)
    for index, model in enumerate(document.models):
        table.add_row(
            str(index),
            escape(" ".join(model.targets)),
            f"{model.claimed_accuracy:.0%}",
            *(short_gwei(amount) for amount in (model.value, model.cost, model.margin)),
            "selected" if index == document.selected else "" if model.live else "not live",
        )
    return table


def _members(document: RoundDocument, played: Played) -> Table:
    """One line per member, wrapped beside its name."""
    gas: Counter[str] = Counter()
    for transaction in document.transactions:
        gas[transaction.sender] += transaction.gas_used
    table = Table.grid(padding=(0, 1))
    table.title, table.title_justify, table.title_style = "Members (gwei)", "left", "bold"
    table.add_column(min_width=_NAME)
    table.add_column()
    members = (*played.owners, *played.base_stations)
    for entry, member in zip(document.members, members, strict=True):
        table.add_row(member.name, summary(entry, _bid(member, document), document, gas[entry.account]))
    return table


def _bid(member: Member, document: RoundDocument) -> int:
    """What a member bid for the selected model, opened or not, gwei: its true value or cost."""
    bids = [each["bids"] for name, each in member.journal.notes(member.round_id).items() if name.startswith("bid-")]
    return 0 if document.selected is None or not bids else int(bids[0][document.selected])


def summary(entry: MemberEntry, bid: int, document: RoundDocument, gas: int) -> str:
    """What a round came to for a member: its own numbers, and all that the contract moved.

    Args:
        entry: the member's in the document.
        bid: its true value of the selected model or, of a base station, its cost, gwei.
        document: of the round.
        gas: of its transactions.
    """
    worth, said = _worth(entry, bid, document)
    change = entry.balance_after - entry.balance_before
    paid, stake_lost = max(0, entry.share), max(0, -entry.bonus)
    received = change + paid + entry.tax + entry.slashed + stake_lost
    parts = [said, *([f"paid {short_gwei(paid)}"] if paid else []), f"tax {short_gwei(entry.tax)}"]
    if entry.slashed:
        parts.append(f"lost of its bond {short_gwei(entry.slashed)}")
    if stake_lost:
        parts.append(f"lost of its stake {short_gwei(stake_lost)}")
    parts.append(f"received {short_gwei(received)}")
    if of_it := [f"{short_gwei(wei)} {what}" for wei, what in ((entry.lot, "lot"), (entry.bonus, "bonus")) if wei > 0]:
        parts[-1] += f" (with {' and '.join(of_it)})"
    return ", ".join([*parts, f"net {short_gwei(worth + change)} gwei", f"gas {gas:,}"])


def _worth(entry: MemberEntry, bid: int, document: RoundDocument) -> tuple[int, str]:
    """What the outcome is worth to a member by its own numbers, wei, and in words.

    A model below its claim is worth the part of its value that it has reached of the claim; a base station that stayed
    for some of the global rounds has had that part of its cost.
    """
    training = document.training
    if entry not in document.owners:
        selected = document.selected
        cost = 0 if selected is None else bid * GWEI * entry.recorded // document.models[selected].global_rounds
        return -cost, f"training cost {short_gwei(cost)}" if cost else "trained nothing"
    if training is None or document.status != "settled":
        return 0, "no model"
    final, claimed = training.final_accuracy, training.claimed_accuracy
    if final >= claimed:
        return bid * GWEI, f"model worth {bid}"
    worth = round(bid * GWEI * final / claimed)
    return worth, f"model worth {short_gwei(worth)} of {bid} (it failed its claim)"


def _accuracy(document: RoundDocument) -> Table | None:
    training = document.training
    if training is None:
        return None
    title = f"Accuracy on the target labels ({training.model} on {training.dataset})"
    table = _table(title, "global round", "accuracy", "loss")
    for each in training.global_rounds:
        table.add_row(str(each.global_round + 1), f"{each.accuracy:.2%}", f"{each.loss:.4f}")
    table.add_row("reported", f"{training.final_accuracy:.2%}", "")
    table.add_row("claimed", f"{training.claimed_accuracy:.2%}", "")
    return table


def _money(document: RoundDocument, played: Played) -> Table:
    members = document.members
    table = _table("Where every wei went (gwei, exact)", "", "")
    for what, wei in (
        ("locked by all members", sum(member.lock for member in played.record.members.values())),
        ("owners' shares", sum(max(0, entry.share) for entry in members)),
        ("base stations' rewards", sum(entry.reward for entry in members)),
        ("forfeited rewards", sum(entry.forfeited for entry in members)),
        ("slashed bonds", sum(entry.slashed for entry in members)),
        ("stakes that changed hands", sum(max(0, entry.bonus) for entry in members)),
        ("Clarke taxes", sum(entry.tax for entry in members)),
        ("the claimant's lot", sum(entry.lot for entry in members)),
        ("kept by the contract", document.kept),
        ("left in the round", played.escrow_left),
    ):
        table.add_row(what, gwei(wei))
    return table
