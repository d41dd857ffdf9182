"""What owners and base stations do in a round, each from the chain's state and from what it can read.

A member knows its own numbers and the texts that it can decrypt, nothing else. Training is not here: see `fl.training`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ape.api import AccountAPI
from eth_account.messages import SignableMessage

from fl.market.bids import SealedBid
from fl.market.client import Market
from fl.market.terms import Role, RoundTerms
from fl.store import mailbox
from fl.store.errors import ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.texts import OwnersView, StationsView

log = logging.getLogger("hcfl")

UPHOLD_WITHIN = 100_000
"""An elector upholds points that are no further from what it measured, for every base station."""


@dataclass
class Member:
    """One account in one round.

    Attributes:
        name: how people call it.
        account: signs and pays gas.
        points: its allocation points.
        proof: that the membership list has it.
        mailbox: where texts and key cards are left.
        key: for texts.
        sealed: its bids, from the commitment on; kept until they are revealed and settled.
        unread: why it could read nothing about a model, by model.
    """

    name: str
    account: AccountAPI
    market: Market
    round_id: int
    mailbox: Files
    points: int = 1
    proof: Sequence[bytes] = ()
    key: EncryptionKey = field(default_factory=EncryptionKey.generate)
    sealed: SealedBid | None = None
    unread: dict[int, str] = field(default_factory=dict)

    role = Role.OWNER

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self.account.address)

    def publish_key(self) -> None:
        """Sign and leave the public encryption key for the others."""
        mailbox.publish(self.mailbox, KeyCard.signed(self.address, self.key, self._sign))

    def _sign(self, message: SignableMessage) -> bytes:
        signature = self.account.sign_message(message)
        if signature is None:
            raise ViewError(f"{self.name} declined to sign its encryption key")
        return bytes(signature.encode_rsv())

    @cached_property
    def terms(self) -> RoundTerms:
        """The round's terms, as the member read them: those it joins on and none else."""
        terms, _ = self.market.terms(self.round_id)
        return terms

    def join(self) -> None:
        """Join on these terms, and lock what they ask for."""
        lock = self.terms.lock(self.role, self.points)
        self.market.join(self.account, self.round_id, self.terms.hash, self.role, self.proof, self.points, lock)

    def estimate(self, model: int) -> int:
        """What a model is worth to this member or costs it, gwei.

        Raises:
            ViewError: there is no text about the model that can be read, or it is not the one proposed.
        """
        raise NotImplementedError

    @property
    def cap(self) -> int:
        """The largest bid that it may make, gwei."""
        raise NotImplementedError

    @property
    def blind_bid(self) -> int:
        """What it bids for a model that it can read nothing about, gwei: such a model is not to be selected."""
        raise NotImplementedError

    def commit(self, models: int) -> SealedBid:
        """Bid the truth for every model, sealed.

        A proposer harms its own model alone by what it sends: the bid for that is `blind_bid`, and `unread` says why.
        """
        self.unread = {}
        self.sealed = SealedBid(tuple(self._bid(model) for model in range(models)))
        commitment = self.sealed.commitment(self.market.chain_id, self.market.address, self.round_id, self.address)
        self.market.commit_bid(self.account, self.round_id, commitment)
        return self.sealed

    def _bid(self, model: int) -> int:
        try:
            return min(self.estimate(model), self.cap)
        except ViewError as error:
            self.unread[model] = str(error)
            log.warning("%s bids %d for model %d: %s", self.name, self.blind_bid, model, error)
            return self.blind_bid

    def reveal(self) -> None:
        """Open the commitment.

        Raises:
            ValueError: there is none.
        """
        if self.sealed is None:
            raise ValueError(f"{self.name} has sealed no bids")
        self.market.reveal_bid(self.account, self.round_id, self.sealed.words, self.sealed.salt)


def worth_of(values: Mapping[str, int], view: OwnersView) -> int:
    """What a proposed model is worth to an owner, v(acc, y) (paper, section III-C.3), gwei, rounded.

    The values of its target labels times the claimed accuracy; nothing is more accurate than 1.

    Args:
        values: gwei that each label is worth to the owner in a model that is never wrong.
        view: what the proposal tells owners.
    """
    labels = sum(values.get(label, 0) for label in set(view.targets))
    return (labels * min(view.claimed_accuracy_bps, 10_000) + 5_000) // 10_000


@dataclass
class Owner(Member):
    """A model owner.

    Attributes:
        values: gwei that each label is worth to it in a model that is never wrong (paper, section V).
    """

    values: Mapping[str, int] = field(default_factory=dict)

    role = Role.OWNER

    def propose(
        self, view: OwnersView, stations_view: StationsView, owners: Sequence[str], stations: Sequence[str]
    ) -> int:
        """Propose a model: each text sealed to every member of its side, then two digests on chain.

        Returns:
            The model's index.
        """
        digest = view.digest(self.market.chain_id, self.market.address, self.round_id, self.address)
        for text, its_digest, readers in (
            (view.to_bytes(), digest, owners),
            (stations_view.to_bytes(), stations_view.digest, stations),
        ):
            cards = [mailbox.card_of(self.mailbox, account) for account in readers]
            mailbox.send(self.mailbox, self.address, its_digest, text, cards)
        rounds = stations_view.global_rounds
        return self.market.propose(self.account, self.round_id, digest, stations_view.digest, rounds)

    def view(self, model: int) -> OwnersView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        proposal = self.market.model_state(self.round_id, model)
        place = (self.market.chain_id, self.market.address, self.round_id, proposal.proposer)
        return mailbox.read(
            self.mailbox,
            proposal.proposer,
            proposal.owners_digest,
            [self.key],
            OwnersView.from_bytes,
            lambda view: view.digest(*place),
        )

    def estimate(self, model: int) -> int:
        """What the model is worth to it if it is as accurate as it is claimed to be."""
        return worth_of(self.values, self.view(model))

    @property
    def cap(self) -> int:
        """`maxOwnerBid`."""
        return self.terms.max_owner_bid

    @property
    def blind_bid(self) -> int:
        """Nothing."""
        return 0

    def vote(self, measured_bps: int, listed: Mapping[str, int], measured: Mapping[str, int]) -> bool:
        """Vote with what it measured; returns whether it upholds the contributions.

        Args:
            measured_bps: accuracy of the shared model, 1/10,000.
            listed: the points that the winner listed, by base station.
            measured: the points that this owner would list.
        """
        stations = {*listed, *measured}
        uphold = all(abs(listed.get(each, 0) - measured.get(each, 0)) <= UPHOLD_WITHIN for each in stations)
        self.market.vote(self.account, self.round_id, measured_bps, uphold)
        return uphold


@dataclass
class BaseStation(Member):
    """A base station.

    Attributes:
        cost_per_label: gwei that training costs it for each label a model tells apart (paper, section V).
    """

    cost_per_label: int = 0

    role = Role.BASE_STATION

    def view(self, model: int) -> StationsView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        proposal = self.market.model_state(self.round_id, model)
        view = mailbox.read(
            self.mailbox,
            proposal.proposer,
            proposal.stations_digest,
            [self.key],
            StationsView.from_bytes,
            lambda view: view.digest,
        )
        if view.global_rounds != proposal.global_rounds:
            raise ViewError(
                f"the text of model {model} names {view.global_rounds} global rounds, "
                f"its proposal {proposal.global_rounds}"
            )
        return view

    def estimate(self, model: int) -> int:
        """The cost of training a model with that many labels: k(ω, t, M), paper, section III-C.3."""
        return self.cost_per_label * self.view(model).label_count

    @property
    def cap(self) -> int:
        """`maxStationBid`."""
        return self.terms.max_station_bid

    @property
    def blind_bid(self) -> int:
        """The most: a cost of 0 would let such a model win."""
        return self.cap
