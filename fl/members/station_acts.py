"""What a base station does: it bids, trains the winner's model on its own data, and records its updates."""

from dataclasses import dataclass, field

from fl.market.terms import Role
from fl.members import steps
from fl.members.acts import Member, NotYet, UnderWay
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.owner import NO_UPDATE
from fl.members.plan import Cost
from fl.members.rounds import stations_of
from fl.members.station import last_call
from fl.members.station import next_step as stations_next_step
from fl.members.steps import Step
from fl.members.training import settings_of
from fl.members.work import StationWork, Unfinished, WorkError
from fl.store import mailbox
from fl.store.artefacts import digest_of, from_chain, to_chain
from fl.store.errors import StoreError, TooLarge, ViewError, one_line
from fl.store.signed import (
    DeclarationStatement,
    UpdateStatement,
)
from fl.store.texts import StationsView
from fl.training.config import Privacy

IN_VAIN = 2
"""Times the time that is left: a training that would take longer is not begun."""


@dataclass
class BaseStation(Member):
    """A base station.

    Attributes:
        cost: its costs.
        work: its training.
        privacy: that this gives its clients; None: none.
    """

    cost: Cost = field(default=lambda view: 0)
    work: StationWork | None = None
    privacy: Privacy | None = None
    _refused: str = field(default="", repr=False)
    _begins_from: tuple[object, bytes] | None = field(default=None, repr=False)

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
                if self.work is not None:
                    self.work.stop()
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
        """What training the model costs it; one that it could not train is bid for as one without a text."""
        view = self.view(model, facts)
        try:
            settings_of(view)
        except ViewError as error:
            raise ViewError(f"the text of {facts.record.models[model].proposer}'s proposal: {error}") from error
        return self.cost(view)

    def cap(self, facts: Facts) -> int:
        """`maxStationBid`."""
        return facts.terms.max_station_bid

    def blind_bid(self, facts: Facts) -> int:
        """The most: a cost of 0 would let such a model win."""
        return self.cap(facts)

    # ── training ──

    def _accept(self, facts: Facts) -> None:
        """Read the order, and declare the samples before any training.

        An order that cannot be followed is no decision: the winner may leave a right one in its place, or people mend
        the data, as long as there is time. One that is accepted stays.
        """
        try:
            signed, order = self._signed_order(facts)
            samples = self._own_work().samples(order, stations_of(facts)[self.address])
        except Unfinished as error:
            raise UnderWay(str(error)) from error
        except (ViewError, TooLarge, WorkError) as error:
            reason = f"cannot follow the winner's order, and records attendance only until it can: {one_line(error)}"
            if reason != self._refused:
                self._refused = reason
                self.did(reason)
                self.alert(f"{self.name} {reason}")
            raise NotYet(reason) from error
        if (privacy := self.privacy) is not None:
            from fl.training.sending.epsilon import epsilon_of  # needs SciPy, which comes with the training

            releases = order.text.edge_aggregations * order.text.global_rounds
            epsilon = epsilon_of(privacy.noise_multiplier, releases, privacy.delta)
            self.did(f"hides its clients: ε is {epsilon:.2f} for δ = {privacy.delta:g} after all global rounds")
        self.journal.note(self.round_id, "samples", samples)
        declared = self._sign(DeclarationStatement(self.round_id, samples))
        self._leave("declaration", declared, b"", self._owners(facts))
        # With the signature: the winner may leave another one for others, or in its place.
        self.journal.note(
            self.round_id, "order", {"order": order.to_bytes().hex(), "signed": signed.to_bytes().decode()}
        )

    def _train(self, number: int, facts: Facts) -> None:
        name = f"update-{number}"
        digest = self.journal.noted(self.round_id, name)
        if digest is None:
            digest = self._trained(number, facts)
            self.journal.note(self.round_id, name, digest)
        self.market.record_update(self.account, self.round_id, number, to_chain(digest))

    def _trained(self, number: int, facts: Facts) -> str:
        order, station = self.order(facts), stations_of(facts)[self.address]
        samples = self.journal.noted(self.round_id, "samples")
        try:
            model = self._start_of(number, facts, order)
        except StoreError as error:
            raise NotYet(f"the global model is not there: {error}") from error
        try:
            work, left = self._own_work(), last_call(facts, self.conduct) - facts.now
            if (has := work.samples(order, station)) != samples:  # such an update counts for nobody
                raise WorkError(
                    f"its data have {has:,} images now, and it declared {samples:,}: put back those of then"
                )
            if (takes := work.seconds(order, station, model)) > IN_VAIN * left:
                raise WorkError(f"training takes about {takes:,.0f} s here, and {left} s are left for it")
            data = work.train(order, station, model, number)
        except Unfinished as error:
            raise UnderWay(str(error)) from error
        except WorkError as error:
            reason = f"has no update in global round {number + 1}: {error}"
            self.did(reason)
            self.alert(f"{self.name} {reason}")
            return from_chain(NO_UPDATE)
        signed = self._sign(UpdateStatement(self.round_id, number, digest_of(data), samples))
        return self.store.put(data, self._owners(facts), signed)

    def _start_of(self, number: int, facts: Facts, order: Order) -> bytes:
        """The model that a global round starts from, read once however often the training is asked for."""
        recorded = number, facts.record.global_rounds.get(number - 1)
        if self._begins_from is None or self._begins_from[0] != recorded:
            self._begins_from = recorded, self.global_model(number, facts, order)
        return self._begins_from[1]

    def _own_work(self) -> StationWork:
        if self.work is None:
            raise WorkError(f"{self.name} has no data to train on")
        return self.work
