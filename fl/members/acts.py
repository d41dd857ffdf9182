"""A step done: first noted in the journal, then put into the store, then sent to the chain. Every act is safe to repeat.

An act that ended half-way is begun again from what its journal has: it draws no new salt, trains no update twice, and
signs nothing that conflicts with what it has signed.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ape.api import AccountAPI
from eth_account.messages import SignableMessage

from fl.faults import Fault
from fl.market.bids import SealedBid, word_count
from fl.market.client import Market
from fl.market.merkle import updates_root
from fl.market.refusals import MarketError
from fl.market.terms import Role
from fl.members import steps
from fl.members.facts import Facts
from fl.members.journal import Journal
from fl.members.order import MOST_BYTES as MOST_ORDER
from fl.members.order import Order
from fl.members.owner import NO_UPDATE, OwnerConduct, present
from fl.members.owner import next_step as owners_next_step
from fl.members.plan import Cost, Worth
from fl.members.rounds import Conduct, stations_of
from fl.members.station import next_step as stations_next_step
from fl.members.steps import Step
from fl.members.work import Delivered, OwnerWork, StationWork, WorkError, WrongArtefact, weight_of
from fl.store import mailbox
from fl.store.artefacts import ArtefactStore, digest_of, from_chain, to_chain
from fl.store.errors import Missing, StoreError, Unreachable, ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.mailbox import round_place
from fl.store.signed import (
    DeclarationStatement,
    Domain,
    OrderStatement,
    Signed,
    Statement,
    UpdateStatement,
    most_packed,
    pack,
    sign,
    unpack,
)
from fl.store.texts import OwnersView, StationsView

log = logging.getLogger("hcfl")

MOST_SAMPLES = 2**40
"""That a base station can have."""
UPHOLD_WITHIN = 100_000
"""An elector upholds points that are no further from what it measured, for every base station."""

DONE_ALREADY = (
    "AlreadyJoined",
    "AlreadyProposed",
    "AlreadyCommitted",
    "AlreadyDrawn",
    "AlreadyRevealed",
    "AlreadyVoted",
    "ClaimantStandsAside",
    "NotAMember",
    "WrongStatus",
)
"""Refusals that say that somebody, or this member before it was interrupted, has done the step: look again."""


class NotYet(Fault, RuntimeError):
    """A step that has to wait for something that is not on chain: an order, a model."""


@dataclass(frozen=True)
class Listed:
    """A line of the membership list, as far as others need it: whom to seal what to."""

    role: Role
    card: KeyCard


@dataclass
class Member:
    """One account in one round, with all that is its own.

    Attributes:
        name: how people call it.
        account: signs and pays gas.
        points: its allocation points.
        proof: that the membership list has it.
        journal: what it has decided and signed.
        files: the store that the members share.
        listed: the membership list, by account.
        conduct: how it goes about the round.
        did: told what it does, in words.
    """

    name: str
    account: AccountAPI
    market: Market
    round_id: int
    journal: Journal
    files: Files
    listed: Mapping[str, Listed]
    conduct: Conduct
    points: int = 1
    proof: Sequence[bytes] = ()
    did: Callable[[str], None] = field(default=lambda what: None)

    role = Role.OWNER

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self.account.address)

    @property
    def store(self) -> ArtefactStore:
        """Its artefacts, and a way to those of others."""
        return ArtefactStore(self.files, self.address)

    @property
    def domain(self) -> Domain:
        """What its statements are bound to."""
        return Domain(self.market.chain_id, self.market.address)

    def next_step(self, facts: Facts) -> Step:
        """What it does next."""
        raise NotImplementedError

    def do(self, step: Step, facts: Facts) -> None:
        """Do a step.

        Raises:
            NotYet: it has to wait.
            MarketError: the contract or the node refused; what was done already (`DONE_ALREADY`) is no refusal.
            StoreError: the store refused.
        """
        try:
            self._do(step, facts)
        except MarketError as error:
            if error.name not in DONE_ALREADY:
                raise
            log.info("%s: %s", self.name, error)

    def _do(self, step: Step, facts: Facts) -> None:
        market, account, round_id = self.market, self.account, self.round_id
        match step:
            case steps.Join():
                lock, loss = (amount(self.role, self.points) for amount in (facts.terms.lock, facts.terms.worst_loss))
                value = max(0, lock - facts.free_balance)
                market.join(account, round_id, facts.terms.hash, self.role, self.proof, self.points, value)
                self.did(f"locks {lock // 10**9} gwei; doing its duties it loses {loss // 10**9} at most")
            case steps.Commit():
                self._commit(facts)
            case steps.Draw():
                market.draw_claimant(account, round_id)
            case steps.Reveal():
                sealed = self._bid()
                market.reveal_bid(account, round_id, sealed.words, sealed.salt)
                self.did(f"bid {', '.join(map(str, sealed.bids))} gwei")
            case steps.Select():
                market.select_model(account, round_id)
            case steps.Abort():
                market.abort_training(account, round_id)
                self.did("ended the round: its winner never reported")
            case steps.Settle(accounts):
                zeros = [0] * word_count(len(facts.record.models))
                vectors = [facts.record.members[each].words or zeros for each in accounts]
                if len(accounts) == 1:
                    market.settle(account, round_id, accounts[0], vectors[0])
                else:
                    market.settle_many(account, round_id, accounts, [word for each in vectors for word in each])
            case steps.Claim():
                market.claim_lot(account, round_id)
            case _:
                raise TypeError(f"{self.name} cannot do {step}")

    # ── bids ──

    def _bid(self) -> SealedBid:
        noted = self.journal.noted(self.round_id, "bid")
        return SealedBid(tuple(noted["bids"]), bytes.fromhex(noted["salt"]))

    def _commit(self, facts: Facts) -> None:
        """Bid the truth for every model, sealed.

        A proposer harms its own model alone by what it sends: the bid for that is `blind_bid`, and it is said why.
        """
        if self.journal.noted(self.round_id, "bid") is None:
            bids = tuple(self._estimate(model, facts) for model in range(len(facts.record.models)))
            sealed = SealedBid(bids)
            self.journal.note(self.round_id, "bid", {"bids": list(bids), "salt": sealed.salt.hex()})
        sealed = self._bid()
        commitment = sealed.commitment(facts.chain_id, facts.contract, self.round_id, self.address)
        self.market.commit_bid(self.account, self.round_id, commitment)
        self.did("sealed its bids")

    def _estimate(self, model: int, facts: Facts) -> int:
        try:
            return max(0, min(self.estimate(model, facts), self.cap(facts)))
        except Unreachable:
            raise  # not the proposer's fault: it is tried again
        except StoreError as error:
            blind = self.blind_bid(facts)
            proposer = facts.record.models[model].proposer
            self.did(f"bids {blind} for model {model} of {proposer}, because {error}")
            log.warning("%s bids %d for model %d of %s: %s", self.name, blind, model, proposer, error)
            return blind

    def estimate(self, model: int, facts: Facts) -> int:
        """What a model is worth to this member or costs it, gwei.

        Raises:
            ViewError: there is no text about the model that can be read, or it is not the one proposed.
        """
        raise NotImplementedError

    def cap(self, facts: Facts) -> int:
        """The largest bid that it may make, gwei."""
        raise NotImplementedError

    def blind_bid(self, facts: Facts) -> int:
        """What it bids for a model that it can read nothing about, gwei: such a model is not to be selected."""
        raise NotImplementedError

    # ── what others have left for it ──

    def keys(self) -> list[EncryptionKey]:
        """Its encryption keys, old ones too: an old key card that somebody put back does not lock it out."""
        return [EncryptionKey(secret) for secret in self.journal.keys()]

    def order(self, facts: Facts) -> Order:
        """The winner's order, checked against what was proposed.

        Raises:
            NotYet: there is none yet.
            ViewError: it is not one, or not by the winner, or not of the model that was selected.
        """
        noted = self.journal.noted(self.round_id, "order")
        if noted is not None and "order" in noted:
            return Order.from_bytes(bytes.fromhex(noted["order"]))
        winner, selected = facts.record.winner, facts.record.selected
        if winner is None or selected is None:
            raise NotYet("no model is selected")
        model = facts.record.models[selected]
        try:
            signed, data = self._take(winner, "order", MOST_ORDER)
        except Missing as error:
            raise NotYet("the winner has delivered no order yet") from error
        if signed.statement != OrderStatement(self.round_id, digest_of(data)):
            raise ViewError("what the winner signed is not this order")
        signed.verify(self.domain, winner)
        order = Order.from_bytes(data)
        if order.text.digest != model.stations_digest:
            raise ViewError("the order is not of the model that was proposed to base stations")
        if order.text.global_rounds != model.global_rounds:
            raise ViewError(f"the order has {order.text.global_rounds} global rounds, its proposal {model.global_rounds}")
        return order

    def global_model(self, number: int, facts: Facts, order: Order) -> bytes:
        """The model that a global round starts from.

        Raises:
            StoreError: it cannot be had.
        """
        before = facts.record.global_rounds.get(number - 1)
        digest = order.text.initial_model if before is None else from_chain(before[0])
        return self.store.get(digest, self.keys(), account=facts.record.winner)

    def _leave(self, name: str, statement: Statement, data: bytes, readers: Sequence[KeyCard]) -> None:
        """Something of the round, signed."""
        place = round_place(self.market.address, self.round_id, name)
        mailbox.leave(self.files, self.address, place, pack(self._sign(statement), data), readers)

    def _take(self, account: str, name: str, most: int) -> tuple[Signed, bytes]:
        """What another has left of the round; who signed it is for the caller to check."""
        place = round_place(self.market.address, self.round_id, name)
        return unpack(mailbox.take(self.files, account, place, self.keys(), most_packed(most)), most)

    def _sign(self, statement: Statement) -> Signed:
        def signing(message: SignableMessage) -> bytes:
            signature = self.account.sign_message(message)
            if signature is None:
                raise NotYet(f"{self.name} declined to sign: sign when asked")
            return signature.encode_rsv()

        return sign(statement, self.domain, signing)

    def _cards(self, accounts: Iterable[str]) -> list[KeyCard]:
        """The key cards of those who may read, and the own one."""
        return [self.listed[each].card for each in dict.fromkeys([*accounts, self.address]) if each in self.listed]

    def _trainers_and_owners(self, facts: Facts) -> list[KeyCard]:
        """Who may read global models: the base stations that train, and the owners that pay."""
        return self._cards(each.account for each in (*facts.recorders, *facts.committed_owners))


@dataclass(frozen=True)
class Updates:
    """The updates of a global round, by account.

    Attributes:
        delivered: those that count.
        absent: why there is none that counts, of the other base stations that train.
    """

    delivered: Mapping[str, Delivered]
    absent: Mapping[str, str]


@dataclass
class Owner(Member):
    """A model owner.

    Attributes:
        worth: its valuation.
        work: its training and judging.
    """

    worth: Worth = field(default=lambda view: 0)
    work: OwnerWork | None = None

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
                view, _ = self._texts()
                self.market.report_result(self.account, self.round_id, result, view.opening)
                self.did(f"reported its model; it had claimed {view.claimed_accuracy_bps / 100:.1f} %")
            case steps.Vote():
                self._vote(facts)
            case _:
                super()._do(step, facts)

    # ── bids ──

    def view(self, model: int, facts: Facts) -> OwnersView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        proposal = facts.record.models[model]

        def digest(view: OwnersView) -> bytes:
            return view.digest(facts.chain_id, facts.contract, self.round_id, proposal.proposer)

        of_chain, read = proposal.owners_digest, OwnersView.from_bytes
        return mailbox.read(self.files, proposal.proposer, of_chain, self.keys(), read, digest)

    def estimate(self, model: int, facts: Facts) -> int:
        """What the model is worth to it if it is as accurate as it is claimed to be."""
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
            # Kept in the store, sealed to itself, until the base stations that train are known.
            initial = self.store.put(proposal.initial, self._cards([]))
            noted = {
                "owners": proposal.owners.to_bytes().hex(),
                "stations": proposal.stations.to_bytes().hex(),
                "initial": initial,
            }
            self.journal.note(self.round_id, "claim", noted)
        owners, stations = self._texts()
        digest = owners.digest(facts.chain_id, facts.contract, self.round_id, self.address)
        sides = {role: [each.card for each in self.listed.values() if each.role is role] for role in Role}
        mailbox.send(self.files, self.address, digest, owners.to_bytes(), sides[Role.OWNER])
        mailbox.send(self.files, self.address, stations.digest, stations.to_bytes(), sides[Role.BASE_STATION])
        self.market.propose(self.account, self.round_id, digest, stations.digest, stations.global_rounds)
        labels = ", ".join(owners.targets)
        self.did(f"proposed a model: labels {labels}, claimed {owners.claimed_accuracy_bps / 100:.1f} %")

    def _texts(self) -> tuple[OwnersView, StationsView]:
        noted = self.journal.noted(self.round_id, "claim")
        owners, stations = (bytes.fromhex(noted[side]) for side in ("owners", "stations"))
        return OwnersView.from_bytes(owners), StationsView.from_bytes(stations)

    def _deliver(self, facts: Facts) -> None:
        owners, stations = self._texts()
        order, readers = Order(owners.targets, stations), self._trainers_and_owners(facts)
        self.store.put(self.store.get(order.text.initial_model, self.keys()), readers)
        data = order.to_bytes()
        self.journal.note(self.round_id, "order", {"order": data.hex()})
        self._leave("order", OrderStatement(self.round_id, digest_of(data)), data, readers)
        self.journal.note(self.round_id, "delivered", True)

    def _aggregate(self, number: int, facts: Facts) -> None:
        """The next global model of the updates that are recorded and hold what they have to."""
        name = f"aggregate-{number}"
        if (noted := self.journal.noted(self.round_id, name)) is None:
            order, work = self.order(facts), self._own_work()
            updates = self.collect(number, facts, order, declared=True)
            for account, reason in updates.absent.items():
                self.did(f"leaves {account} out of global round {number + 1}: {reason}")
            model, recorded = self.global_model(number, facts, order), present(facts, number)
            refused = len(updates.absent.keys() & recorded.keys())
            data = work.aggregate(order, number, model, list(updates.delivered.values()), refused)
            judged = work.judge(order, data)
            noted = {
                "digest": self.store.put(data, self._trainers_and_owners(facts)),
                "included": {account: from_chain(recorded[account]) for account in updates.delivered},
                "absent": updates.absent,
                "accuracy": judged.accuracy,
                "loss": judged.loss,
            }
            self.journal.note(self.round_id, name, noted)
        root = updates_root([(account, to_chain(digest)) for account, digest in noted["included"].items()])
        self.market.record_global_round(self.account, self.round_id, number, to_chain(noted["digest"]), root)
        self.did(f"averaged global round {number + 1}: accuracy {noted['accuracy']:.1%}")

    def collect(self, number: int, facts: Facts, order: Order, *, declared: bool = False) -> Updates:
        """The updates of a global round that count, and why those of the others do not.

        An update counts if its station recorded its digest, signed it for this round and global round with the number
        of samples that is in it, the same in every global round, and it holds a finite model of the order's kind.

        Args:
            number: the global round.
            facts: of the chain.
            order: the winner's.
            declared: whether the number of samples must be the one that the station declared before, as the winner
                asks. What it declared to others they cannot know; what it recorded they can.
        """
        stations, recorded = stations_of(facts), present(facts, number)
        found: dict[str, tuple[bytes, int]] = {}
        absent: dict[str, str] = {}
        for each in facts.recorders:
            account = each.account
            if account not in recorded:
                absent[account] = "it recorded no update"
                continue
            try:
                data, samples = self._update(account, number, recorded[account])
                if (inside := self._own_work().check(order, stations[account], number, data)) != samples:
                    raise WrongArtefact(f"it signed {samples:,} samples, and its update names {inside:,}")
                if declared and samples != (said := self._declared(account)):
                    raise WrongArtefact(f"it declared {said:,} samples, and brings {samples:,}")
            except Unreachable:
                raise  # not the station's fault: it is tried again
            except (StoreError, WrongArtefact) as error:
                absent[account] = str(error)
            else:
                found[account] = (data, samples)
        counts = [samples for _, samples in found.values()]
        delivered = {
            account: Delivered(stations[account], data, weight_of(samples, counts, order.text.weight_limit))
            for account, (data, samples) in found.items()
        }
        return Updates(delivered, absent)

    def _update(self, account: str, number: int, digest: bytes) -> tuple[bytes, int]:
        """A base station's signed update, and on how many samples it says that it was trained."""
        signed, data = self.store.get_signed(from_chain(digest), self.keys(), account=account)
        statement = signed.statement
        if not isinstance(statement, UpdateStatement):
            raise WrongArtefact("what it signed is no update")
        if statement != UpdateStatement(self.round_id, number, from_chain(digest), statement.samples):
            raise WrongArtefact("what it signed is another update, or of another round")
        signed.verify(self.domain, account)
        if not 1 <= statement.samples <= MOST_SAMPLES:
            raise WrongArtefact(f"{statement.samples} samples are none that a base station has")
        return data, statement.samples

    def _declared(self, account: str) -> int:
        """The samples that a base station declared, once: whoever declares again is held to the first."""
        name = f"declared-{account}"
        if (noted := self.journal.noted(self.round_id, name)) is None:
            signed, _ = self._take(account, "declaration", 0)
            signed.verify(self.domain, account)
            statement = signed.statement
            if not isinstance(statement, DeclarationStatement) or statement.round_id != self.round_id:
                raise WrongArtefact("its declaration is of another round")
            noted = statement.samples
            self.journal.note(self.round_id, name, str(noted))
        return int(noted)

    # ── judging ──

    def _points(self, facts: Facts) -> dict[str, int]:
        """The points that this owner finds right, by base station's account."""
        order = self.order(facts)
        rounds = []
        for number in sorted(facts.record.global_rounds):
            updates = self.collect(number, facts, order)
            rounds.append((self.global_model(number, facts, order), list(updates.delivered.values())))
        stations = stations_of(facts)
        accounts = {station: account for account, station in stations.items()}
        points = self._own_work().points(order, rounds, len(stations))
        return {accounts[station]: each for station, each in points.items()}

    def _list(self, facts: Facts) -> None:
        points = self.journal.noted(self.round_id, "points")
        if points is None:
            points = self._points(facts)
            self.journal.note(self.round_id, "points", points)
        if points:
            self.market.report_contributions(self.account, self.round_id, list(points), list(points.values()))
        for account, each in points.items():
            self.did(f"credits {account} with {each / 10_000:.1f} % of the contribution")

    def _vote(self, facts: Facts) -> None:
        """Measure the reported model and the contributions, each as far as it can be had.

        A model that is not there, or no model, is worth nothing to its electors: they measure 0.
        """
        noted = self.journal.noted(self.round_id, "measured")
        if noted is None:
            result = facts.record.result
            winner = facts.record.winner
            if result is None or winner is None:
                raise NotYet("nothing is reported")
            try:
                model = self.store.get(from_chain(result[0]), self.keys(), account=winner)
                accuracy = self._own_work().judge(self.order(facts), model).accuracy_bps
            except Unreachable:
                raise
            except (StoreError, WorkError, NotYet) as error:
                self.did(f"cannot judge the reported model, and measures 0: {error}")
                accuracy = 0
            noted = {"accuracy_bps": accuracy, "uphold": self._upholds(facts)}
            self.journal.note(self.round_id, "measured", noted)
        self.market.vote(self.account, self.round_id, noted["accuracy_bps"], noted["uphold"])
        verdict = "upholds" if noted["uphold"] else "does not uphold"
        self.did(f"measured {noted['accuracy_bps'] / 100:.1f} %, and {verdict} the contributions")

    def _upholds(self, facts: Facts) -> bool:
        try:
            measured = self._points(facts)
        except Unreachable:
            raise
        except (StoreError, WorkError, NotYet) as error:
            self.did(f"cannot measure the contributions: {error}")
            return False
        listed = {each.account: each.listed or 0 for each in facts.record.side(Role.BASE_STATION)}
        return all(abs(listed.get(each, 0) - measured.get(each, 0)) <= UPHOLD_WITHIN for each in {*listed, *measured})

    def _own_work(self) -> OwnerWork:
        if self.work is None:
            raise WorkError(f"{self.name} has no test data to judge a model by")
        return self.work


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
        of_chain, read = proposal.stations_digest, StationsView.from_bytes
        view = mailbox.read(self.files, proposal.proposer, of_chain, self.keys(), read, lambda view: view.digest)
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
            samples = self._own_work().samples(order, stations_of(facts)[self.address])
        except (ViewError, WorkError) as error:
            self.journal.note(self.round_id, "order", {"refused": str(error)})
            self.did(f"cannot follow the winner's order, and records attendance only: {error}")
            return
        self.journal.note(self.round_id, "samples", samples)
        readers = self._cards(each.account for each in facts.committed_owners)
        self._leave("declaration", DeclarationStatement(self.round_id, samples), b"", readers)
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
        return self.store.put(data, self._cards(each.account for each in facts.committed_owners), signed)

    def _own_work(self) -> StationWork:
        if self.work is None:
            raise WorkError(f"{self.name} has no data to train on")
        return self.work
