"""A step done: first noted in the journal, then put into the store, then sent to the chain.

Every act is safe to repeat. One that ended half-way is begun again from what its journal has: it draws no new salt,
trains no update twice, and signs nothing that conflicts with what it has signed.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ape.api import AccountAPI

from fl.faults import Fault
from fl.market.bids import SealedBid, word_count
from fl.market.client import Market
from fl.market.connection import signing
from fl.market.membership_file import MembershipList
from fl.market.refusals import ByHand, MarketError
from fl.market.terms import Role
from fl.market.words import gwei
from fl.members import steps
from fl.members.facts import Facts
from fl.members.journal import Journal, JournalError
from fl.members.order import MOST_BYTES as MOST_ORDER
from fl.members.order import Order
from fl.members.rounds import Conduct, bid_name, bid_noted, noted_bid, sealed_bid
from fl.members.steps import Step
from fl.store import mailbox
from fl.store.artefacts import ArtefactStore, digest_of, from_chain
from fl.store.errors import Forbidden, Missing, StoreError, Unreachable, ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import (
    Domain,
    OrderStatement,
    Signed,
    Statement,
    most_packed,
    pack,
    sign,
    unpack,
)
from fl.store.texts import OwnersView, StationsView
from fl.yaml_file import ConfigurationError

log = logging.getLogger("hcfl")

PRESSING = 4
"""Times the reserve before a deadline, from which on what the store does not give is not waited for."""

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


class UnderWay(NotYet):
    """It waits for nobody else: it is being worked on."""


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
        listed: the membership list, with the key cards.
        conduct: how it goes about the round.
        did: told what it does, in words.
        alert: told what its people have to know.
    """

    name: str
    account: AccountAPI
    market: Market
    round_id: int
    journal: Journal
    files: Files
    listed: MembershipList
    conduct: Conduct
    points: int = 1
    proof: Sequence[bytes] = ()
    did: Callable[[str], None] = field(default=lambda what: None)
    alert: Callable[[str], None] = field(default=lambda what: None)
    _has_said_lock: bool = field(default=False, init=False)

    role = Role.OWNER

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self.account.address)

    @property
    def store(self) -> ArtefactStore:
        """Its artefacts, and a way to those of others."""
        return ArtefactStore(self.files, self.folder(self.address))

    def folder(self, account: str) -> str:
        """Where an account leaves what is of this round."""
        return mailbox.round_folder(account, self.market.address, self.round_id)

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
                terms, value = facts.terms.hash, self._ready_to_lock(facts)
                market.join(account, round_id, terms, self.role, self.proof, self.points, value)
            case steps.Commit():
                self._commit(facts)
            case steps.Draw():
                market.draw_claimant(account, round_id)
            case steps.Reveal():
                sealed = sealed_bid(facts, self.journal.notes(round_id))
                if sealed is None:
                    raise NotYet("the journal does not have the bid that is sealed on chain")
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

    def bid(self, facts: Facts) -> SealedBid:
        """The truth for every model, sealed and noted.

        A proposer harms its own model alone by what it sends: the bid for that is `blind_bid`, and it is said why.
        """
        name = bid_name(facts.record)
        if (noted := self.journal.noted(self.round_id, name)) is None:
            bids = tuple(self._estimate(model, facts) for model in range(len(facts.record.models)))
            noted = noted_bid(SealedBid(bids))
            self.journal.note(self.round_id, name, noted)
        return bid_noted(noted)

    def _commit(self, facts: Facts) -> None:
        sealed = self.bid(facts)
        commitment = sealed.commitment(facts.chain_id, facts.contract, self.round_id, self.address)
        market, account, round_id = self.market, self.account, self.round_id
        if facts.me is None:  # it comes late, when there is no other way in
            terms, value = facts.terms.hash, self._ready_to_lock(facts)
            market.join_and_commit(account, round_id, terms, self.role, self.proof, commitment, self.points, value)
        else:
            market.commit_bid(account, round_id, commitment)
        self.did("sealed its bids")

    def _ready_to_lock(self, facts: Facts) -> int:
        """Check and say, once, what is about to be locked; returns the wei to send for it, beside what is free."""
        lock, loss = (amount(self.role, self.points) for amount in (facts.terms.lock, facts.terms.worst_loss))
        self._check_before_lock(lock)
        if not self._has_said_lock:
            self.did(f"locks {lock // 10**9} gwei; doing its duties it loses {loss // 10**9} at most")
            self._has_said_lock = True
        return max(0, lock - facts.free_balance)

    def _check_before_lock(self, lock: int) -> None:
        """Refuse what a member would regret that has only just read the terms: anybody can create a round for its list.

        Raises:
            ByHand: the contract is not the one that this client knows.
            ConfigurationError: the round locks more than the member is willing to lock.
            JournalError: nothing that others seal to it could be opened here.
        """
        if not self.market.has_known_code():
            raise ByHand(
                f"the contract at {self.market.address} is not the one that this client was made with, so nothing is "
                "locked in it: take the version that it was deployed from; if you changed the sources, `ape run abi`"
            )
        most = self.conduct.most_lock
        if most is not None and lock > most:
            raise ConfigurationError(
                f"round {self.round_id} locks {gwei(lock)} gwei, and most_lock in member.yaml is {gwei(most)}: read "
                "its terms (`status`), and raise most_lock if you agree to them"
            )
        found = self.listed.find(self.address)
        if found is not None and found.card.public_key not in [key.public_key for key in self.keys()]:
            raise JournalError(
                f"journal {self.journal.path} does not have the key of this member's card on the membership list: put "
                "back the journal that the card was made with, or have a new card listed"
            )

    def _estimate(self, model: int, facts: Facts) -> int:
        try:
            return self.planned_bid(model, facts)
        except (StoreError, ConfigurationError) as error:
            self.again_if_there_is_time(error, facts, facts.deadlines.commit)
            blind = self.blind_bid(facts)
            proposer = facts.record.models[model].proposer
            self.did(f"bids {blind} for model {model} of {proposer}, because {error}")
            return blind

    def planned_bid(self, model: int, facts: Facts) -> int:
        """What it bids for a model that it can read about, gwei: the truth, within what may be bid.

        Raises:
            StoreError: there is no text about the model that can be read, or the store does not answer.
        """
        estimate, cap = self.estimate(model, facts), self.cap(facts)
        if estimate > cap:
            self.did(f"can bid {cap} gwei for model {model} at most, and by its plan it is {estimate}")
        return max(0, min(estimate, cap))

    def view(self, model: int, facts: Facts) -> OwnersView | StationsView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        raise NotImplementedError

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

    def again_if_there_is_time(self, error: Exception, facts: Facts, deadline: int) -> None:
        """Raise an error again that time may mend: the store does not give a file, or the plan fails on what it says.

        All others are the writer's fault. Writers can see to these as well: by a link, an encryption, a class of
        storage; by words that a function of this member's own does not expect. So it is tried again while there is
        time, and where the store gives nothing at all; but no deadline is missed for it.

        Raises:
            Unreachable: it is tried again.
            Forbidden: its people can renew the credentials, or set the clock that they depend on.
            ConfigurationError: they can mend the plan.
        """
        away = isinstance(error, Unreachable)
        if not away and not isinstance(error, Forbidden | ConfigurationError):
            return
        if facts.now < deadline - PRESSING * self.conduct.reserve:
            raise error
        if away and not self.files.answers() and not self._is_bound(facts):
            raise error

    def _is_bound(self, facts: Facts) -> bool:
        """Whether it loses its bond where it does not bid."""
        me = facts.me
        proposes = any(model.proposer == self.address for model in facts.record.models)
        return proposes and me is not None and not me.committed

    def keys(self) -> list[EncryptionKey]:
        """Its encryption keys, old ones too: an old key card that somebody put back does not lock it out."""
        return list(map(EncryptionKey, self.journal.keys()))

    def order(self, facts: Facts) -> Order:
        """The winner's order, checked against what was proposed.

        Raises:
            NotYet: there is none yet.
            ViewError: it is not one, or not by the winner, or not of the model that was selected.
        """
        noted = self.journal.noted(self.round_id, "order")
        if noted is not None and "order" in noted:
            return Order.from_bytes(bytes.fromhex(noted["order"]))
        return self._signed_order(facts)[1]

    def _signed_order(self, facts: Facts) -> tuple[Signed, Order]:
        """The order as the store has it now, and the winner's signature."""
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
            raise ViewError(
                f"the order has {order.text.global_rounds} global rounds, its proposal {model.global_rounds}"
            )
        return signed, order

    def global_model(self, number: int, facts: Facts, order: Order) -> bytes:
        """The model that a global round starts from.

        Raises:
            StoreError: it cannot be had.
        """
        before = facts.record.global_rounds.get(number - 1)
        digest = order.text.initial_model if before is None else from_chain(before[0])
        return self.model(digest, facts, order)

    def model(self, digest: str, facts: Facts, order: Order) -> bytes:
        """A model that the winner has left.

        Raises:
            StoreError: it cannot be had.
        """
        return self.store.get(digest, self.keys(), self._most_bytes(order), self.folder(facts.record.winner or ""))

    def _most_bytes(self, order: Order) -> int:
        """What is read of a model at most."""
        return order.most_bytes

    def _leave(self, name: str, signed: Signed, data: bytes, readers: Sequence[KeyCard]) -> None:
        """Something of the round, signed."""
        mailbox.leave(self.files, self.folder(self.address), name, pack(signed, data), readers)

    def _take(self, account: str, name: str, most: int) -> tuple[Signed, bytes]:
        """What another has left of the round; who signed it is for the caller to check."""
        return unpack(mailbox.take(self.files, self.folder(account), name, self.keys(), most_packed(most)), most)

    def _sign(self, statement: Statement) -> Signed:
        return sign(statement, self.domain, signing(self.account))

    def _cards(self, accounts: Iterable[str]) -> list[KeyCard]:
        """The key cards of those who may read, and the own one."""
        found = (self.listed.find(each) for each in dict.fromkeys([*accounts, self.address]))
        return [each.card for each in found if each is not None]

    def _owners(self, facts: Facts) -> list[KeyCard]:
        """Who may read updates: the owners that have bid."""
        return self._cards(each.account for each in facts.committed_owners)

    def _trainers_and_owners(self, facts: Facts) -> list[KeyCard]:
        """Who may read what is trained on: the base stations that train, and the owners that pay."""
        return self._cards(each.account for each in (*facts.recorders, *facts.committed_owners))
