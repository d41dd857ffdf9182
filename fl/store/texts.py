"""What a proposal tells each side: digests on chain, texts off chain, sealed to each member (`fl.store.mailbox`).

Paper, section III-C.3: a proposal m(ω, M, acc, t, y) shows acc and y to the other owners, and ω, M and t to the base
stations.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from fl.store import canonical
from fl.store.errors import ViewError, shown

SALT_BYTES = 32
MOST_BYTES = 2**16
"""Of a text; what is longer is not read."""

_SALT = re.compile(f"[0-9a-f]{{{2 * SALT_BYTES}}}")
_DECIMAL = re.compile(r"(?=.{1,40}\Z)(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
_SEED = re.compile(r"0|[1-9][0-9]{0,77}")


def _salt() -> str:
    return secrets.token_hex(SALT_BYTES)


def decimal_of(number: float) -> str:
    """A number as texts have it: 0.05 is "0.05", 1e-05 is "0.00001"; `float` reads it back exactly.

    Raises:
        ViewError: it has no such form of at most 40 characters.
    """
    text = format(Decimal(repr(number)), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if not _DECIMAL.fullmatch(text):
        raise ViewError(f"{number!r} cannot be written as a decimal of at most 40 characters")
    return text


def targets_digest(targets: tuple[str, ...]) -> bytes:
    """keccak256 of target labels as canonical JSON, 32 bytes."""
    return keccak(canonical.encode({"targets": list(targets)}))


def _check_salt(salt: object) -> None:
    if not isinstance(salt, str) or not _SALT.fullmatch(salt):
        raise ViewError(f"the salt is not {SALT_BYTES} bytes in lower-case hex")


@dataclass(frozen=True)
class OwnersView:
    """What owners may read of a proposal.

    Attributes:
        claimed_accuracy_bps: expected accuracy on the target labels, 1/10,000.
        targets: the target labels y.
        salt: 32 random bytes, hex; without it the few possible accuracies could be tried.

    Raises:
        ViewError: a field is not of this form, or its readers would refuse the text.
    """

    claimed_accuracy_bps: int
    targets: tuple[str, ...]
    salt: str = field(default_factory=_salt)

    def __post_init__(self) -> None:
        if type(self.claimed_accuracy_bps) is not int or not 0 <= self.claimed_accuracy_bps < 2**16:
            raise ViewError(f"the claimed accuracy is {shown(self.claimed_accuracy_bps)}")
        if type(self.targets) is not tuple or not self.targets or not all(isinstance(y, str) for y in self.targets):
            raise ViewError(f"the target labels are {shown(self.targets)}")
        _check_salt(self.salt)
        _owners_fields(self.to_bytes())

    @property
    def targets_digest(self) -> bytes:
        """keccak256 of the labels as canonical JSON, 32 bytes."""
        return targets_digest(self.targets)

    @property
    def opening(self) -> tuple[int, bytes, bytes]:
        """What the winner's report opens the digest with (`IHCFL.Opening`)."""
        return (self.claimed_accuracy_bps, self.targets_digest, bytes.fromhex(self.salt))

    def digest(self, chain_id: int, contract: str, round_id: int, proposer: str) -> bytes:
        """As `IHCFL.ownersDigestOf`, 32 bytes; bound to the proposer, so a copied digest cannot be opened."""
        return keccak(
            encode(
                ["uint256", "address", "uint256", "address", "uint16", "bytes32", "bytes32"],
                [chain_id, contract, round_id, proposer, *self.opening],
            )
        )

    def to_bytes(self) -> bytes:
        """The text that is sealed to every owner: canonical JSON."""
        return canonical.encode(asdict(self))

    @classmethod
    def from_bytes(cls, text: bytes) -> "OwnersView":
        """Read a text that anybody may have written.

        Raises:
            ViewError: it is none.
        """
        found = _owners_fields(text)
        targets = found.pop("targets")
        return cls(**found, targets=tuple(targets) if isinstance(targets, list) else targets)


@dataclass(frozen=True)
class StationsView:
    """What base stations may read of a proposal.

    All that a base station needs to know what training costs and to train alone, but the labels, the data and the
    initial model: those the winner delivers.

    Attributes:
        model: name of the architecture (the characteristics M).
        dataset: name of the data it is trained on.
        label_count: number of classes it tells apart; which ones is for owners only.
        parameters: number of trainable parameters (ω).
        global_rounds: t, as the proposal names them on chain.
        local_epochs: κ1.
        edge_aggregations: κ2.
        initial_model: digest of the model that training starts from, hex, or "" where the winner delivers it later.
        salt: 32 random bytes, hex.
        batch_size: images in one step of a client's SGD.
        learning_rate: of the clients' optimizer, as `decimal_of` writes it.
        momentum: of the clients' SGD, the same.
        seed: of every draw; a decimal string in JSON.
        rule: how updates become a global model, by name.
        tolerate: f, how many arbitrarily wrong updates the rule withstands.
        weight_limit: an update weighs at most so many times the median of all samples.
        edge_rule: how a base station combines its clients' models, by name.
        edge_tolerate: f, how many arbitrarily wrong ones that rule withstands.
        optimizer: of the clients, by name, with arguments if need be, as "AdamW(eps=0.0001)".
        schedule: of the learning rate over global rounds, the same; "": it stays.
        weight_decay: of the clients' optimizer, as `decimal_of` writes it; "0": its own default.
        gradient_clip: most that the norm of a step's gradient is, the same; "0": it is as it is.
        loss: that clients minimise, by name, with arguments if need be.
        proximal: μ of FedProx, as `decimal_of` writes it.
        augment: whether training images are shifted and mirrored at random.
        precision: what clients compute in, by name.
        client_bits: of each parameter of what clients send; 0: they send their models.
        strategy: what the winner makes of the combined model, by name, with arguments if need be.

    Raises:
        ViewError: a field is not of this form, or its readers would refuse the text.
    """

    model: str
    dataset: str
    label_count: int
    parameters: int
    global_rounds: int
    local_epochs: int
    edge_aggregations: int
    initial_model: str = ""
    salt: str = field(default_factory=_salt)
    batch_size: int = field(kw_only=True)
    learning_rate: str = field(kw_only=True)
    momentum: str = field(kw_only=True)
    seed: int = field(kw_only=True)
    rule: str = field(kw_only=True)
    tolerate: int = field(kw_only=True)
    weight_limit: int = field(kw_only=True)
    edge_rule: str = field(kw_only=True)
    edge_tolerate: int = field(kw_only=True)
    optimizer: str = field(kw_only=True, default="SGD")
    schedule: str = field(kw_only=True, default="")
    weight_decay: str = field(kw_only=True, default="0")
    gradient_clip: str = field(kw_only=True, default="0")
    loss: str = field(kw_only=True, default="cross_entropy")
    proximal: str = field(kw_only=True, default="0")
    augment: bool = field(kw_only=True, default=False)
    precision: str = field(kw_only=True, default="float32")
    client_bits: int = field(kw_only=True, default=0)
    strategy: str = field(kw_only=True, default="FedAvg")

    def __post_init__(self) -> None:
        counts = (
            *("label_count", "parameters", "global_rounds", "local_epochs", "edge_aggregations"),
            *("batch_size", "weight_limit"),
        )
        from_zero = ("tolerate", "edge_tolerate", "client_bits")
        for name, least in (*((name, 1) for name in counts), *((name, 0) for name in from_zero)):
            if type(number := getattr(self, name)) is not int or not least <= number <= canonical.MOST_EXACT:
                raise ViewError(f"{name} is {shown(number)}")
        named = ("optimizer", "schedule", "loss", "precision", "strategy")
        for name in ("model", "dataset", "initial_model", "rule", "edge_rule", *named):
            if not isinstance(text := getattr(self, name), str):
                raise ViewError(f"{name} is {shown(text)}")
        if type(self.augment) is not bool:
            raise ViewError(f"augment is {shown(self.augment)}")
        for name in ("learning_rate", "momentum", "weight_decay", "gradient_clip", "proximal"):
            if not isinstance(text := getattr(self, name), str) or not _DECIMAL.fullmatch(text):
                raise ViewError(f"{name} is {shown(text)}, no decimal string as 0.05")
        if type(self.seed) is not int or not _SEED.fullmatch(str(self.seed)):
            raise ViewError(f"the seed is {shown(self.seed)}")
        _check_salt(self.salt)
        _stations_fields(self.to_bytes())

    @property
    def digest(self) -> bytes:
        """keccak256 of the text, 32 bytes."""
        return keccak(self.to_bytes())

    @property
    def training(self) -> dict[str, int | str]:
        """All that it says of how to train beside the model and the data, by name; defaults are left out."""
        found, others = self._told(), ("model", "dataset", "label_count", "parameters", "initial_model", "salt")
        return {name: value for name, value in found.items() if name not in others}

    def to_bytes(self) -> bytes:
        """The text that is sealed to every base station: canonical JSON."""
        return canonical.encode(self._told())

    def _told(self) -> dict[str, Any]:
        told = {**asdict(self), "seed": str(self.seed)}
        return {name: value for name, value in told.items() if name not in DEFAULTS or value != DEFAULTS[name]}

    @classmethod
    def from_bytes(cls, text: bytes) -> "StationsView":
        """Read a text that anybody may have written.

        Raises:
            ViewError: it is none.
        """
        found = _stations_fields(text)
        if not isinstance(found["seed"], str) or not _SEED.fullmatch(found["seed"]):
            raise ViewError(f"the seed is {shown(found['seed'])}, no decimal string")
        if twice := [name for name in sorted(DEFAULTS.keys() & found) if found[name] == DEFAULTS[name]]:
            raise ViewError(f"{twice[0]} is {shown(found[twice[0]])}, which is said by leaving it out")
        return cls(**{**found, "seed": int(found["seed"])})


DEFAULTS: Mapping[str, Any] = {
    each.name: each.default for each in fields(StationsView) if each.kw_only and each.default is not MISSING
}
"""Fields that a text for base stations has only where they are something else."""


def _owners_fields(text: bytes) -> dict[str, Any]:
    return canonical.decode(text, "text for owners", [each.name for each in fields(OwnersView)], MOST_BYTES)


def _stations_fields(text: bytes) -> dict[str, Any]:
    names = [each.name for each in fields(StationsView) if each.name not in DEFAULTS]
    return canonical.decode(text, "text for base stations", names, MOST_BYTES, DEFAULTS)
