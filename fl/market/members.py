"""What owners and base stations do in a round, each from the chain's state and from what it can read.

A member knows its own numbers and the texts that it can decrypt, nothing else. Training is not here: see `fl.training`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ape.api import AccountAPI
from eth_account.messages import encode_defunct

from fl.market.bids import SealedBid
from fl.market.client import Market
from fl.market.mailbox import Mailbox
from fl.market.terms import Role
from fl.market.views import EncryptionKey, KeyCard, OwnersView, StationsView, ViewError


@dataclass
class Member:
    """One account in one round.

    Attributes:
        name: how people call it.
        account: signs and pays gas.
        points: its allocation points.
        proof: that the membership list has it.
        key: for texts.
        sealed: its bids, from the commitment on; kept until they are revealed and settled.
    """

    name: str
    account: AccountAPI
    market: Market
    round_id: int
    mailbox: Mailbox
    points: int = 1
    proof: Sequence[bytes] = ()
    key: EncryptionKey = field(default_factory=EncryptionKey.generate)
    sealed: SealedBid | None = None

    role = Role.OWNER

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self.account.address)

    def publish_key(self) -> None:
        """Sign and leave the public encryption key for the others."""
        public_key = self.key.public_key
        statement = KeyCard.statement(self.address, public_key)
        signature = self.account.sign_message(encode_defunct(text=statement))
        if signature is None:
            raise ViewError(f"{self.name} declined to sign its encryption key")
        self.mailbox.publish(KeyCard(self.address, public_key, signature.encode_rsv().hex()))

    def join(self, rebates: Sequence[int] = (), value: int = 0) -> None:
        """Join and lock funds."""
        self.market.join(self.account, self.round_id, self.role, self.points, self.proof, rebates, value)

    def estimate(self, model: int) -> int:
        """What this member bids for a model, gwei."""
        raise NotImplementedError

    def commit(self, models: int) -> SealedBid:
        """Bid the truth for every model, sealed."""
        self.sealed = SealedBid(tuple(self.estimate(model) for model in range(models)))
        commitment = self.sealed.commitment(self.market.chain_id, self.market.address, self.round_id, self.address)
        self.market.commit_bid(self.account, self.round_id, commitment)
        return self.sealed

    def reveal(self) -> None:
        """Open the commitment.

        Raises:
            ValueError: there is none.
        """
        if self.sealed is None:
            raise ValueError(f"{self.name} has sealed no bids")
        self.market.reveal_bid(self.account, self.round_id, self.sealed.words, self.sealed.salt)


def _view_name(round_id: int, model: int) -> str:
    return f"round-{round_id}-model-{model}"


@dataclass
class Owner(Member):
    """A model owner.

    Attributes:
        values: gwei that each label is worth to it in a model (paper, section V).
    """

    values: Mapping[str, int] = field(default_factory=dict)

    role = Role.OWNER

    def propose(
        self, view: OwnersView, stations_view: StationsView, owners: Sequence[str], stations: Sequence[str]
    ) -> int:
        """Propose a model: two digests on chain, each text to every member of its side.

        Returns:
            The model's index.
        """
        digest = view.digest(self.market.chain_id, self.market.address, self.round_id, self.address)
        rounds = stations_view.training_rounds
        model = self.market.propose(self.account, self.round_id, digest, stations_view.digest, rounds)
        for account in owners:
            self.mailbox.send(account, _view_name(self.round_id, model), view.to_bytes())
        for account in stations:
            self.mailbox.send(account, _view_name(self.round_id, model), stations_view.to_bytes())
        return model

    def view(self, model: int) -> OwnersView:
        """What it may read of a proposal.

        Raises:
            ViewError: the text is not the one whose digest is on chain.
        """
        text = self.mailbox.read(self.address, _view_name(self.round_id, model), self.key)
        view = OwnersView.from_bytes(text)
        proposal = self.market.model_state(self.round_id, model)
        digest = view.digest(self.market.chain_id, self.market.address, self.round_id, proposal.proposer)
        if digest != proposal.owners_digest:
            raise ViewError(f"the text of model {model} that {self.name} was sent is not the one proposed")
        return view

    def estimate(self, model: int) -> int:
        """The sum of what the model's target labels are worth to it: v(acc, y), paper, section III-C.3."""
        return sum(self.values.get(label, 0) for label in self.view(model).targets)

    def vote(self, claimed_bps: int, measured_bps: int) -> bool:
        """Vote for punishment exactly if the shared model falls short of the claim; returns the vote."""
        punish = measured_bps < claimed_bps
        self.market.vote(self.account, self.round_id, punish, measured_bps)
        return punish


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
        text = self.mailbox.read(self.address, _view_name(self.round_id, model), self.key)
        view = StationsView.from_bytes(text)
        if view.digest != self.market.model_state(self.round_id, model).stations_digest:
            raise ViewError(f"the text of model {model} that {self.name} was sent is not the one proposed")
        return view

    def estimate(self, model: int) -> int:
        """The cost of training a model with that many labels: k(ω, t, M), paper, section III-C.3."""
        return self.cost_per_label * self.view(model).label_count
