"""What a report is made of: a `round.json`, or what the chain's logs alone say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from markupsafe import Markup

from analysis.check_round import check, read_round
from analysis.report.words import short_text
from analysis.round_facts import Round, RoundResult
from analysis.settlement import settle_round
from fl.faults import Fault
from fl.market.client import Market
from fl.market.events import Transaction
from fl.market.terms import Phase, Status
from fl.members.access import Access
from fl.record.document import GlobalRoundEntry, RoundDocument, TrainingEntry, document_of, read, to_json
from fl.record.history import RoundRecord, rebuild
from fl.store.signed import Domain


class ReportError(Fault, ValueError):
    """There is no round to report on, or it contradicts itself."""


@dataclass(frozen=True)
class Source:
    """A finished round, with what the reference makes of it.

    Attributes:
        document: the round.
        off_chain: whether what is nowhere on chain (labels, names, accuracies by global round) is known.
        command: what writes the page again.
        check: what re-checks the round.
        called: how people call a member, by account; of who is not in it they say its number.
    """

    document: RoundDocument
    off_chain: bool
    command: str
    check: str
    called: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def facts(self) -> Round:
        """What happened, as the reference takes it.

        Raises:
            ReportError: the document contradicts itself.
        """
        try:
            return read_round(to_json(self.document))
        except (ValueError, IndexError, TypeError) as error:
            raise ReportError(f"this round contradicts itself: {error}") from error

    @cached_property
    def result(self) -> RoundResult:
        """What the reference makes of it."""
        return settle_round(self.facts)

    @cached_property
    def origins(self) -> Mapping[tuple[str, str | None, int | None], int]:
        """Which transaction (its place in the document) left a log: event, account, number. Of several the last."""
        return {
            (log.event, log.account, log.number): place
            for place, transaction in enumerate(self.document.transactions)
            for log in transaction.logs
        }

    def first(self, event: str) -> int | None:
        """The first transaction that left such a log, by its place in the document."""
        places = (place for (name, _, _), place in self.origins.items() if name == event)
        return min(places, default=None)

    def link(self, event: str, account: str | None = None, number: int | None = None) -> Markup:
        """To the transaction that left such a log; nothing where there is none."""
        place = self.origins.get((event, account, number))
        return Markup() if place is None else self.link_to(place)

    def link_to(self, place: int) -> Markup:
        """To a transaction, by its place in the document."""
        shown = short_text(self.document.transactions[place].hash)
        return Markup('<a class="tx" href="#tx-{}">{}</a>').format(place, shown)

    @cached_property
    def unsettled(self) -> frozenset[str]:
        """Accounts that settlement has not reached yet."""
        return frozenset(
            member.account
            for member in self.document.members
            if ("MemberSettled", member.account, None) not in self.origins
        )

    @property
    def unclaimed(self) -> int:
        """Wei of the lot that the claimant has not taken yet."""
        members = self.document.members
        return sum(member.tax for member in members) - sum(member.lot for member in members)

    @cached_property
    def discrepancies(self) -> tuple[str, ...]:
        """Where the round is not what the reference makes of it; on chain not looked for before all is settled."""
        waits = not self.off_chain and (self.unsettled or self.unclaimed)
        return () if waits else tuple(check(to_json(self.document)))


def from_file(path: Path) -> Source:
    """A `round.json`.

    Raises:
        DocumentError: it is none.
        OSError: it cannot be read.
    """
    return from_document(read(path), path)


def from_document(document: RoundDocument, path: Path) -> Source:
    """A finished round that is written at a path."""
    return Source(document, True, f"ape run report {path}", f"python -m analysis.check_round {path}")


def from_chain(market: Market, round_id: int) -> Source:
    """A round from the chain's logs, and from nothing else.

    Raises:
        ReportError: there is no such round, or it is not over.
        MarketError: the node does not answer.
    """
    if not 1 <= round_id <= (count := market.round_count()):
        raise ReportError(f"there is no round {round_id} at {market.address}: it has {count}")
    events = market.events(round_id)
    state = market.round_state(round_id)
    if state.phase is not Phase.SETTLE:
        phase = state.phase.name.lower()
        raise ReportError(f"round {round_id} is not over, this is its {phase} phase: `ape run explorer` follows it")
    # A round that could not be held counts as cancelled, whether or not somebody has had that stored.
    record = replace(rebuild(events), status=state.status)
    return of_record(market.chain_id, market.address, record, market.transactions(events))


def of_record(chain_id: int, contract: str, record: RoundRecord, transactions: list[Transaction]) -> Source:
    """The same, of what has been read already."""
    texts = [(None, None)] * len(record.models)
    document = document_of(chain_id, contract, record, texts, _training(record), None, transactions)
    command = f"ape run report {record.round_id} --contract {contract} --network NODE"
    return Source(document, False, command, command)


def called_by(access: Access, market: Market) -> dict[str, str]:
    """How people call the members, by account, as the membership list has it; empty without a list.

    Raises:
        MembershipError: the list that was named is none of this deployment.
    """
    listed = access.members(Domain(market.chain_id, market.address))
    return {} if listed is None else dict(listed.names)


def _training(record: RoundRecord) -> TrainingEntry | None:
    """What the chain knows of the training; names are empty and accuracies 0 where it does not."""
    if record.selected is None or record.status not in (Status.REPORTED, Status.ABORTED):
        return None
    result, claimed = record.result or (b"", 0)
    return TrainingEntry(
        dataset="",
        model="",
        initial_digest="",
        result_digest="0x" + result.hex() if result else "",
        global_rounds=tuple(
            GlobalRoundEntry(number, "0x" + model.hex(), 0.0, 0.0, "0x" + root.hex())
            for number, (model, root) in sorted(record.global_rounds.items())
        ),
        claimed_accuracy=claimed / 10_000,
        final_accuracy=0.0,
    )
