"""What an owner makes of what others have trained: which updates count, what follows from them, what it votes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic
from typing import TypeVar

from fl.faults import Fault
from fl.market.refusals import MarketError
from fl.members.acts import Member, NotYet
from fl.members.aggregation import Aggregation
from fl.members.aggregation import most_bytes as most_of_aggregation
from fl.members.audit import audit_training, differing_points
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.owner import cut_of, present
from fl.members.rounds import stations_of
from fl.members.work import Aggregated, Delivered, Judged, OwnerWork, Updates, WorkError, WrongArtefact, weighed
from fl.store import mailbox
from fl.store.artefacts import digest_of, from_chain
from fl.store.errors import StoreError, Unreachable, ViewError, one_line, shown
from fl.store.signed import AggregationStatement, DeclarationStatement, Signed, UpdateStatement
from fl.store.texts import OwnersView

MOST_SAMPLES = 2**40
"""That a base station can have."""

_T = TypeVar("_T")


@dataclass
class Elector(Member):
    """An owner that looks at another's training, or at what its own is made of.

    Attributes:
        work: its training and judging.
    """

    work: OwnerWork | None = None
    _until: float = field(default=inf, repr=False)
    """By the machine's clock, until when it looks at what others have trained."""

    # ── what was proposed ──

    def view(self, model: int, facts: Facts) -> OwnersView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        proposal = facts.record.models[model]
        of_chain, read = proposal.owners_digest, OwnersView.from_bytes
        folder = self.folder(proposal.proposer)
        digest: Callable[[OwnersView], bytes] = partial(self._digest, facts, proposal.proposer)
        return mailbox.read(self.files, folder, of_chain, self.keys(), read, digest)

    def _digest(self, facts: Facts, proposer: str, view: OwnersView) -> bytes:
        """What a proposal of this round has on chain of its text for owners."""
        return view.digest(facts.chain_id, facts.contract, self.round_id, proposer)

    def order(self, facts: Facts) -> Order:
        """The winner's order, which must be for the labels that owners have bid for."""
        order, selected = super().order(facts), facts.record.selected
        if selected is not None and order.targets != (wanted := self.view(selected, facts).targets):
            raise ViewError(f"the order is for the labels {shown(order.targets)}, the proposal for {shown(wanted)}")
        return order

    # ── updates ──

    def aggregation(self, number: int, facts: Facts) -> Aggregation:
        """What the winner says the model after a global round was made of.

        Raises:
            StoreError: it does not say, or it did not sign that.
        """
        winner = facts.record.winner or ""
        signed, data = self._take(winner, f"aggregation-{number}", most_of_aggregation(len(facts.recorders)))
        if signed.statement != AggregationStatement(self.round_id, number, digest_of(data)):
            raise ViewError("what the winner signed is about another global round")
        signed.verify(self.domain, winner)
        return Aggregation.from_bytes(data)

    def aggregated(self, number: int, facts: Facts, order: Order, updates: Updates, carried: bytes) -> Aggregated:
        """The global model that follows from the updates of a global round, and from what the strategy carries to it.

        Raises:
            StoreError: the model before it cannot be had.
        """
        before, delivered = self.global_model(number, facts, order), list(updates.delivered.values())
        return self._own_work().aggregate(order, number, before, delivered, updates.refused, carried)

    def collect(self, number: int, facts: Facts, order: Order) -> Updates:
        """The updates of a global round that count, and why those of the others do not.

        An update counts if its station recorded its digest, signed it for this round and global round with the number
        of samples that is in it, the one that it declared, and it holds a finite model of the order's kind.

        Raises:
            Unreachable: the store does not give one, and there is time to try again.
            WorkError: no time is left to look (`_measured_by`).
        """
        stations, recorded = stations_of(facts), present(facts, number)
        found: dict[str, Delivered] = {}
        absent: dict[str, str] = {}
        for each in facts.recorders:
            if monotonic() > self._until:
                raise WorkError(f"there is no time left to look at global round {number + 1}")
            account = each.account
            if account not in recorded:
                absent[account] = "it recorded no update"
                continue
            try:
                most = self._most_bytes(order)
                data, signed, samples = self._update(account, number, recorded[account], most, facts)
                if (inside := self._own_work().check(order, stations[account], number, data)) != samples:
                    raise WrongArtefact(f"it signed {samples:,} samples, and its update names {inside:,}")
                if samples != (said := self._declared(account, facts)):
                    raise WrongArtefact(f"it declared {said:,} samples, and brings {samples:,}")
            except (StoreError, WrongArtefact) as error:
                self.again_if_there_is_time(error, facts, _needed_by(number, facts))
                absent[account] = one_line(error)
            else:
                found[account] = Delivered(stations[account], data, samples, samples, signed)
        return Updates(weighed(found, order.text.weight_limit), absent, len(absent.keys() & recorded.keys()))

    def _update(self, account: str, number: int, digest: bytes, most: int, facts: Facts) -> tuple[bytes, Signed, int]:
        """A base station's update, what it signed, and on how many samples it says that it was trained.

        It is the same update wherever it lies, by its digest and its signature.
        """
        return _from_either(
            facts.record.winner, account, lambda holder: self._update_of(account, number, digest, most, holder)
        )

    def _update_of(self, account: str, number: int, digest: bytes, most: int, holder: str) -> tuple[bytes, Signed, int]:
        signed, data = self.store.get_signed(from_chain(digest), self.keys(), most, self.folder(holder))
        statement = signed.statement
        if not isinstance(statement, UpdateStatement):
            raise WrongArtefact("what it signed is no update")
        if statement != UpdateStatement(self.round_id, number, from_chain(digest), statement.samples):
            raise WrongArtefact("what it signed is another update, or of another round")
        signed.verify(self.domain, account)
        if not 1 <= statement.samples <= MOST_SAMPLES:
            raise WrongArtefact(f"{statement.samples} samples are none that a base station has")
        return data, signed, statement.samples

    def _declared(self, account: str, facts: Facts) -> int:
        """The samples that a base station declared, once: whoever declares again is held to the first.

        The winner passes on what it was told, for a station may tell others something else, or later.
        """
        name, winner = f"declared-{account}", facts.record.winner
        if (noted := self.journal.noted(self.round_id, name)) is None:
            others = None if facts.is_winner else winner
            signed, samples = _from_either(others, account, lambda holder: self._declaration(account, holder))
            if facts.is_winner:
                self._leave(f"declaration-{account}", signed, b"", self._owners(facts))
            noted = str(samples)
            self.journal.note(self.round_id, name, noted)
        return int(noted)

    def _declaration(self, account: str, holder: str) -> tuple[Signed, int]:
        signed, _ = self._take(holder, "declaration" if holder == account else f"declaration-{account}", 0)
        signed.verify(self.domain, account)
        statement = signed.statement
        if not isinstance(statement, DeclarationStatement) or statement.round_id != self.round_id:
            raise WrongArtefact("its declaration is of another round")
        return signed, statement.samples

    # ── judging ──

    def _most_bytes(self, order: Order) -> int:
        """Not what the order says: it says so of gigabytes, and whoever ends an elector's process has no vote of it."""
        return self._own_work().most_bytes(order)

    def judge(self, order: Order, digest: str, facts: Facts) -> Judged:
        """How a model of the winner's does on this owner's test data.

        Raises:
            StoreError: it cannot be had.
            WorkError: it cannot be judged.
        """
        return self._own_work().judge(order, self.model(digest, facts, order))

    def measured_points(self, facts: Facts) -> dict[str, int]:
        """The points that this owner finds right, by base station's account.

        Raises:
            StoreError: the order, or a model, cannot be had.
            NotYet: likewise.
            WorkError: they cannot be measured.
        """
        order = self.order(facts)
        rounds = []
        for number in sorted(facts.record.global_rounds):
            updates = self.collect(number, facts, order)
            rounds.append((self.global_model(number, facts, order), list(updates.delivered.values())))
        stations = stations_of(facts)
        accounts = {station: account for account, station in stations.items()}
        points = self._own_work().points(order, rounds, len(stations))
        return {accounts[station]: each for station, each in points.items()}

    def _measured_by(self, facts: Facts, deadline: int) -> None:
        """See that contributions can be measured before a deadline: every update is judged, and what it started from.

        A winner that is not done with it by then loses its bond, electors that are not leave a bad winner its own. The
        models to read and to make again may take longer than those to judge: `collect` looks at the time as well.

        Raises:
            StoreError: the model to try it with cannot be had.
            NotYet: likewise.
            WorkError: there is not so much time, or it cannot be tried.
        """
        self._until = monotonic() + deadline - facts.now - self.conduct.reserve
        judged = sum(1 + len(present(facts, number)) for number in facts.record.global_rounds)
        if not judged:
            return
        order, took = self.order(facts), 0.0
        for _ in range(2):  # the first time, the engine and the data may have to be loaded
            began = monotonic()
            self.judge(order, order.text.initial_model, facts)
            took = monotonic() - began
        if took * judged > (left := self._until - monotonic()):
            raise WorkError(
                f"to judge {judged} models takes about {took * judged:,.0f} s here, and {left:,.0f} s are left"
            )

    def _vote(self, facts: Facts) -> None:
        """Measure the reported model and the contributions, each as far as it can be had.

        A model that is not there, or no model, is worth nothing to its electors: they measure 0.

        Raises:
            WorkError: this owner cannot judge any; what it cannot measure it does not punish.
        """
        noted = self.journal.noted(self.round_id, "measured")
        if noted is None:
            result = facts.record.result
            if result is None:
                raise NotYet("nothing is reported")
            try:
                accuracy = self.judge(self.order(facts), from_chain(result[0]), facts).accuracy_bps
            except (StoreError, WrongArtefact, NotYet) as error:
                self.again_if_there_is_time(error, facts, facts.deadlines.vote)
                self.did(f"cannot judge the reported model, and measures 0: {error}")
                accuracy = 0
            noted = {"accuracy_bps": accuracy, "uphold": self._upholds(facts)}
            self.journal.note(self.round_id, "measured", noted)
        # Before the vote: where a wallet signs, its person types this there.
        verdict = "upholds" if noted["uphold"] else "does not uphold"
        self.did(f"measured {noted['accuracy_bps'] / 100:.2f} %, and {verdict} the contributions")
        self.market.vote(self.account, self.round_id, noted["accuracy_bps"], noted["uphold"])

    def _upholds(self, facts: Facts) -> bool:
        """Whether the winner's training follows from what others signed, and its list from what is measured here."""
        try:
            self._measured_by(facts, facts.deadlines.vote)
            found = audit_training(self, facts).findings
            found = found or differing_points(self.measured_points(facts), facts)
        except MarketError:
            raise
        except Fault as error:  # whatever others have brought about: the accuracy is voted on all the same
            self.again_if_there_is_time(error, facts, facts.deadlines.vote)
            self.did(f"cannot measure the contributions: {error}")
            return False
        finally:
            self._until = inf
        for each in found:
            self.did(f"does not uphold: {each}")
        return not found

    def _own_work(self) -> OwnerWork:
        if self.work is None:
            raise WorkError(f"{self.name} has no test data to judge a model by")
        return self.work


def _from_either(winner: str | None, account: str, take: Callable[[str], _T]) -> _T:
    """What a base station signed: as the winner passes it on, or, where that gives nothing, as the station has it.

    Whatever is in the way at the winner's is the winner's doing: it hides nothing that an honest station has left.

    Args:
        winner: None: whoever asks is the winner itself.
        account: the station's.
        take: what a holder has of it.
    """
    unreachable: Unreachable | None = None
    if winner is not None:
        try:
            return take(winner)
        except (StoreError, WrongArtefact) as error:
            unreachable = error if isinstance(error, Unreachable) else None
    try:
        return take(account)
    except (StoreError, WrongArtefact) as error:
        raise unreachable or error from error


def _needed_by(number: int, facts: Facts) -> int:
    """Until when the updates of a global round are needed."""
    if facts.record.result is not None:
        return facts.deadlines.vote
    return facts.deadlines.report if number in facts.record.global_rounds else cut_of(facts, number)
