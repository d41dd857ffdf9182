"""What a base station does: it bids, trains the winner's model on its own data, and records its updates."""

from dataclasses import dataclass, field

from fl.market.terms import Role
from fl.members import steps
from fl.members.acts import Member, NotYet
from fl.members.facts import Facts
from fl.members.owner import NO_UPDATE
from fl.members.plan import Cost
from fl.members.rounds import stations_of
from fl.members.station import next_step as stations_next_step
from fl.members.steps import Step
from fl.members.work import StationWork, WorkError
from fl.store import mailbox
from fl.store.artefacts import digest_of, from_chain, to_chain
from fl.store.errors import StoreError, TooLarge, ViewError, one_line
from fl.store.signed import (
    DeclarationStatement,
    UpdateStatement,
)
from fl.store.texts import StationsView


@dataclass
class BaseStation(Member):
    """A base station.

    Attributes:
        cost: its costs.
        work: its training.
    """

    cost: Cost = field(default=lambda view: 0)
    work: StationWork | None = None

    role = Role.BASE_STATION

    def next_step(self, facts: Facts) -> Step:
        """See `fl.members.station`."""
        return stations_next_step(facts, self.journal.notes(self.round_id), self.conduct)

    def _do(self, step: Step, facts: Facts) -> None:
        match step:
            case steps.Accept():
                self._accept(facts)
            case steps.Train(number):
                self._train(number, facts)
            case steps.Attend(number):
                self.market.record_update(self.account, self.round_id, number, NO_UPDATE)
                self.did(f"records that it was there in global round {number + 1}, without an update")
            case _:
                super()._do(step, facts)

    # ── bids ──

    def view(self, model: int, facts: Facts) -> StationsView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        proposal = facts.record.models[model]
        folder, of_chain, read = self.folder(proposal.proposer), proposal.stations_digest, StationsView.from_bytes
        view = mailbox.read(self.files, folder, of_chain, self.keys(), read, lambda view: view.digest)
        if view.global_rounds != proposal.global_rounds:
            raise ViewError(
                f"the text of model {model} names {view.global_rounds} global rounds, "
                f"its proposal {proposal.global_rounds}"
            )
        return view

    def estimate(self, model: int, facts: Facts) -> int:
        """What training the model costs it."""
        return self.cost(self.view(model, facts))

    def cap(self, facts: Facts) -> int:
        """`maxStationBid`."""
        return facts.terms.max_station_bid

    def blind_bid(self, facts: Facts) -> int:
        """The most: a cost of 0 would let such a model win."""
        return self.cap(facts)

    # ── training ──

    def _accept(self, facts: Facts) -> None:
        """Read the order, and declare the samples before any training."""
        try:
            order = self.order(facts)
            work, place = self._own_work(), stations_of(facts)[self.address]
            samples, promise = work.samples(order, place), work.promise(order, place)
        except (ViewError, TooLarge, WorkError) as error:
            reason = one_line(error)
            self.journal.note(self.round_id, "order", {"refused": reason})
            self.did(f"cannot follow the winner's order, and records attendance only: {reason}")
            return
        if promise:
            self.did(promise)
        self.journal.note(self.round_id, "samples", samples)
        declared = self._sign(DeclarationStatement(self.round_id, samples))
        self._leave("declaration", declared, b"", self._owners(facts))
        self.journal.note(self.round_id, "order", {"order": order.to_bytes().hex()})

    def _train(self, number: int, facts: Facts) -> None:
        name = f"update-{number}"
        digest = self.journal.noted(self.round_id, name)
        if digest is None:
            digest = self._trained(number, facts)
            self.journal.note(self.round_id, name, digest)
        self.market.record_update(self.account, self.round_id, number, to_chain(digest))

    def _trained(self, number: int, facts: Facts) -> str:
        order = self.order(facts)
        try:
            model = self.global_model(number, facts, order)
        except StoreError as error:
            raise NotYet(f"the global model is not there: {error}") from error
        try:
            data = self._own_work().train(order, stations_of(facts)[self.address], model, number)
        except WorkError as error:
            self.did(f"has no update in global round {number + 1}: {error}")
            return from_chain(NO_UPDATE)
        samples = self.journal.noted(self.round_id, "samples")
        signed = self._sign(UpdateStatement(self.round_id, number, digest_of(data), samples))
        return self.store.put(data, self._owners(facts), signed)

    def _own_work(self) -> StationWork:
        if self.work is None:
            raise WorkError(f"{self.name} has no data to train on")
        return self.work
