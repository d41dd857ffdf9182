"""What an owner does: it proposes, bids, makes the global models of its own, or votes on the winner's."""

from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from sys import float_info

from fl.faults import Fault
from fl.market.merkle import updates_root
from fl.market.refusals import MarketError
from fl.market.terms import Role
from fl.members import steps
from fl.members.aggregation import Aggregation
from fl.members.audit import audit_training
from fl.members.elector import Elector
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.owner import OwnerConduct, present, unlisted
from fl.members.owner import next_step as owners_next_step
from fl.members.plan import Worth
from fl.members.steps import Step
from fl.members.work import Judged, Updates, WorkError
from fl.store import mailbox
from fl.store.artefacts import ArtefactStore, digest_of, from_chain, to_chain
from fl.store.errors import StoreError
from fl.store.files import Files
from fl.store.signed import AggregationStatement, OrderStatement
from fl.store.texts import OwnersView, StationsView

LISTED_AT_ONCE = 500
"""Base stations listed in one call: each takes 9,000 gas, and a transaction no more than 2^24."""


@dataclass
class Owner(Elector):
    """A model owner.

    Attributes:
        worth: its valuation.
    """

    worth: Worth = field(default=lambda view: 0)

    role = Role.OWNER

    def next_step(self, facts: Facts) -> Step:
        """See `fl.members.owner`."""
        conduct = self.conduct
        if not isinstance(conduct, OwnerConduct):
            raise TypeError("an owner needs an owner's conduct")
        return owners_next_step(facts, self.journal.notes(self.round_id), conduct)

    def _do(self, step: Step, facts: Facts) -> None:
        match step:
            case steps.Propose():
                self._propose(facts)
            case steps.Deliver():
                self._deliver(facts)
            case steps.Aggregate(number):
                self._aggregate(number, facts)
            case steps.List():
                self._list(facts)
            case steps.Report(result):
                view, _ = self.texts()
                self.market.report_result(self.account, self.round_id, result, view.opening)
                self.did(f"reported its model; it had claimed {view.claimed_accuracy_bps / 100:.1f} %")
            case steps.Vote():
                self._vote(facts)
            case _:
                super()._do(step, facts)

    # ── bids ──

    def estimate(self, model: int, facts: Facts) -> int:
        """What the model is worth to it if it is as accurate as it is claimed to be; its own needs no store."""
        proposal = facts.record.models[model]
        if proposal.proposer == self.address and self.journal.noted(self.round_id, "claim") is not None:
            own, _ = self.texts()
            if proposal.owners_digest == self._digest(facts, self.address, own):
                return self.worth(own)
        return self.worth(self.view(model, facts))

    def cap(self, facts: Facts) -> int:
        """`maxOwnerBid`."""
        return facts.terms.max_owner_bid

    def blind_bid(self, facts: Facts) -> int:
        """Nothing."""
        return 0

    # ── its own model ──

    def _propose(self, facts: Facts) -> None:
        """Send the texts first: a proposal whose texts are not there is bid for blindly."""
        noted = self.journal.noted(self.round_id, "claim")
        if noted is None:
            proposal = self._own_work().proposal()
            initial = self._own_models.put(proposal.initial)
            noted = {
                "owners": proposal.owners.to_bytes().hex(),
                "stations": proposal.stations.to_bytes().hex(),
                "initial": initial,
            }
            self.journal.note(self.round_id, "claim", noted)
        owners, stations = self.texts()
        digest = self._digest(facts, self.address, owners)
        folder = self.folder(self.address)
        mailbox.send(self.files, folder, digest, owners.to_bytes(), self.listed.cards(Role.OWNER))
        mailbox.send(self.files, folder, stations.digest, stations.to_bytes(), self.listed.cards(Role.BASE_STATION))
        self.market.propose(self.account, self.round_id, digest, stations.digest, stations.global_rounds)
        labels = ", ".join(owners.targets)
        self.did(f"proposed a model: labels {labels}, claimed {owners.claimed_accuracy_bps / 100:.1f} %")

    @property
    def _own_models(self) -> ArtefactStore:
        """What nobody else may see yet, beside its journal.

        In the shared store the size of an initial model would tell others before they bid, its name confirm a guess.
        """
        path = self.journal.path
        return ArtefactStore(Files(path.with_name(f"{path.stem}-models")))

    def texts(self) -> tuple[OwnersView, StationsView]:
        """What it told the two sides of its own proposal."""
        noted = self.journal.noted(self.round_id, "claim")
        owners, stations = (bytes.fromhex(noted[side]) for side in ("owners", "stations"))
        return OwnersView.from_bytes(owners), StationsView.from_bytes(stations)

    def _deliver(self, facts: Facts) -> None:
        owners, stations = self.texts()
        order, readers = Order(owners.targets, stations), self._trainers_and_owners(facts)
        self.store.put(self._own_models.get(order.text.initial_model), readers)
        data = order.to_bytes()
        self.journal.note(self.round_id, "order", {"order": data.hex()})
        self._leave("order", self._sign(OrderStatement(self.round_id, digest_of(data))), data, readers)
        self.journal.note(self.round_id, "delivered", True)

    def _aggregate(self, number: int, facts: Facts) -> None:
        """The next global model of the updates that are recorded and hold what they have to."""
        name = f"aggregate-{number}"
        if (noted := self.journal.noted(self.round_id, name)) is None:
            order, work = self.order(facts), self._own_work()
            updates = self.collect(number, facts, order)
            for account, reason in updates.absent.items():
                self.did(f"leaves {account} out of global round {number + 1}: {reason}")
            self._pass_on(updates, facts)
            recorded = present(facts, number)
            made = self.aggregated(number, facts, order, updates, self._carried(number, facts))
            data = made.model
            try:
                judged = work.judge(order, data)
            except WorkError as error:
                self.did(f"cannot judge its model: {error}")
                judged = Judged(0.0, 0, float_info.max)
            last = number + 1 == order.text.global_rounds
            readers = self._owners(facts) if last else self._trainers_and_owners(facts)
            noted = {
                "digest": self.store.put(data, readers),
                "included": {account: from_chain(recorded[account]) for account in updates.delivered},
                "absent": updates.absent,
                "made_of": Aggregation.of(facts.block, recorded, updates.absent).to_bytes().hex(),
                "carried": self._own_models.put(made.carried) if made.carried else "",
                "accuracy": judged.accuracy,
                "loss": judged.loss,
            }
            self.journal.note(self.round_id, name, noted)
        self._leave_aggregation(number, bytes.fromhex(noted["made_of"]), facts)
        root = updates_root([(account, to_chain(digest)) for account, digest in noted["included"].items()])
        self.market.record_global_round(self.account, self.round_id, number, to_chain(noted["digest"]), root)
        self.did(f"averaged global round {number + 1}: accuracy {noted['accuracy']:.1%}")

    def _pass_on(self, updates: Updates, facts: Facts) -> None:
        """Seal the updates that count to the other owners again: a station may have sealed its own to the winner alone.

        Or it takes it back later. An elector that cannot see what a model was made of upholds no contributions, and
        whoever has contributed little would get its stake back.
        """
        for each in updates.delivered.values():
            self.store.put(each.data, self._owners(facts), each.signed)

    def _leave_aggregation(self, number: int, data: bytes, facts: Facts) -> None:
        """Tell the other owners what the global model was made of, who was left out and why."""
        statement = AggregationStatement(self.round_id, number, digest_of(data))
        self._leave(f"aggregation-{number}", self._sign(statement), data, self._owners(facts))

    def _carried(self, number: int, facts: Facts) -> bytes:
        """What the order's strategy carries to a global round, as this owner noted it, or as it follows.

        Raises:
            WorkError: it is not noted, and cannot be worked out.
        """
        if number == 0:
            return b""
        noted = self.journal.noted(self.round_id, f"aggregate-{number - 1}")
        if noted is not None and not noted.get("carried"):
            return b""
        if noted is not None:
            with suppress(StoreError):  # where the journal alone was copied
                return self._own_models.get(noted["carried"])
        *_, before = audit_training(self, facts).rounds[:number] or (None,)
        if before is None or before.carried is None:
            raise WorkError(f"what the strategy carries to global round {number + 1} cannot be worked out")
        return before.carried

    # ── contributions ──

    def _list(self, facts: Facts) -> None:
        points = self.journal.noted(self.round_id, "points")
        if points is None:
            try:
                # In the order in which the journal gives it back: in another it would be another transaction.
                self._measured_by(facts, facts.deadlines.report)
                points = dict(sorted(self.measured_points(facts).items()))
            except MarketError:
                raise
            except Fault as error:  # whatever others have brought about
                self.again_if_there_is_time(error, facts, facts.deadlines.report)
                # To report without contributions costs the base stations their bonuses; not to report costs the bond.
                self.did(f"lists no contributions, for it cannot measure them: {error}")
                points = {}
            finally:
                self._until = inf
            self.journal.note(self.round_id, "points", points)
        left = list(unlisted(facts, points))
        for first in range(0, len(left), LISTED_AT_ONCE):
            some = left[first : first + LISTED_AT_ONCE]
            self.market.report_contributions(self.account, self.round_id, some, [points[each] for each in some])
        for account, each in points.items():
            self.did(f"credits {account} with {each / 10_000:.1f} % of the contribution")
