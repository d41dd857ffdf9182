"""`round.json`: a finished round as one document, the interface of every report, figure and check (`round.md`).

Bids and caps are gwei, other amounts wei, accuracies 0 … 1; integers are written as strings where they exceed 2^53.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from fl.atomic import write_atomically
from fl.faults import Fault
from fl.market.events import Transaction
from fl.market.terms import Deadlines, Role, Status
from fl.record.history import MemberRecord, RoundRecord, Settled
from fl.shallow_json import shallow_json
from fl.store import canonical
from fl.store.errors import StoreError, shown
from fl.store.texts import OwnersView, StationsView

FORMAT = 2

_EXACT = 2**53
"""Integers up to this survive a reader that knows only doubles."""

_STATUS = {
    Status.REPORTED: "settled",
    Status.NOTHING_TRAINED: "nothing trained",
    Status.ABORTED: "aborted",
    Status.CANCELLED: "cancelled",
}

T = TypeVar("T")


class DocumentError(Fault, ValueError):
    """What is read is no round.json of this format."""


@dataclass(frozen=True)
class Caps:
    """The largest bid of each side, gwei."""

    owner: int
    base_station: int


@dataclass(frozen=True)
class ModelEntry:
    """A proposed model.

    Attributes:
        initial_digest: hex; "" where its text names none.
        value: V, wei.
        cost: K, wei; without the claimant's.
        margin: `V − K · n_B / (n_B − 1)`, wei, rounded down: the largest is selected.
    """

    proposer: str
    live: bool
    targets: tuple[str, ...]
    global_rounds: int
    initial_digest: str | None
    claimed_accuracy: float | None
    value: int
    cost: int
    margin: int


@dataclass(frozen=True)
class MemberEntry:
    """A member, and what the round came to for it, wei.

    Attributes:
        recorded: number of global rounds (base stations).
        bids: gwei for each model; None for who never revealed, and so for the claimant.
        share: positive for what an owner pays, negative for what a base station was due, paid or forfeited.
        bonus: what it got back of the contribution stakes, less its own.
        lot: what it received as claimant.
        payment: what settlement took or, negative, gave: `share + tax + slashed + forfeited − bonus`.
        balance_before: free and locked, over all rounds, once it had joined; `balance_after` is `lot − payment` more.
    """

    account: str
    points: int
    committed: bool
    revealed: bool
    claimant: bool
    recorded: int
    bids: tuple[int, ...] | None
    share: int
    tax: int
    reward: int
    forfeited: int
    slashed: int
    bonus: int
    lot: int
    payment: int
    balance_before: int
    balance_after: int


@dataclass(frozen=True)
class GlobalRoundEntry:
    """A global round of the training, as the winner recorded it; accuracy and loss of its model."""

    global_round: int
    global_digest: str
    accuracy: float
    loss: float
    updates_root: str


@dataclass(frozen=True)
class TrainingEntry:
    """The selected model's training.

    Attributes:
        text: what its proposal told base stations, all of how it is trained; None where that is not known. Its digest
            is on chain.
    """

    dataset: str
    model: str
    initial_digest: str
    result_digest: str
    global_rounds: tuple[GlobalRoundEntry, ...]
    claimed_accuracy: float
    final_accuracy: float
    text: StationsView | None = None


@dataclass(frozen=True)
class VoteEntry:
    """An elector's vote."""

    account: str
    measured_accuracy: float
    uphold: bool


@dataclass(frozen=True)
class RoundDocument:
    """A finished round.

    Attributes:
        theta_range: what θ was drawn from, 1/10,000.
        theta_numerator: θ · 2^64; 0 where it was not drawn.
        claimant: account; None where nothing was drawn.
        deadlines: Unix times at which the phases close.
        threshold: a verdict needs more than this part of the electors, 1/10,000.
        tolerance: a measured accuracy may be so much below the claimed one, 1/10,000.
        policy: the owners', "equal" or "capability".
        status: "settled", "nothing trained", "aborted" or "cancelled".
        pool: total payment C of the selected model, rounded down; 0 without one.
        contributions: the points that the winner listed, by base station; None where it was not listed.
        upheld: whether the contributions stand.
        kept: what stays in the contract.
    """

    format: int
    chain_id: int
    contract: str
    round_id: int
    theta_range: tuple[int, int]
    theta_numerator: int
    claimant: str | None
    caps: Caps
    bond: int
    contribution_stake: int
    deadlines: Deadlines
    threshold: int
    tolerance: int
    policy: str
    status: str
    selected: int | None
    pool: int
    models: tuple[ModelEntry, ...]
    owners: tuple[MemberEntry, ...]
    base_stations: tuple[MemberEntry, ...]
    training: TrainingEntry | None
    contributions: tuple[int | None, ...]
    votes: tuple[VoteEntry, ...]
    upheld: bool
    punished: bool
    kept: int
    transactions: tuple[Transaction, ...]

    @property
    def members(self) -> tuple[MemberEntry, ...]:
        """Owners, then base stations."""
        return self.owners + self.base_stations


# ── from what happened ──


@dataclass(frozen=True)
class Balances:
    """A member's wei, free and locked: once it had joined, and at the end."""

    before: int
    after: int


Texts: TypeAlias = tuple[OwnersView | None, StationsView | None]
"""What a proposal told owners and base stations; None where it could not be read."""


def document_of(
    chain_id: int,
    contract: str,
    record: RoundRecord,
    texts: Sequence[Texts],
    training: TrainingEntry | None,
    balances: Mapping[str, Balances] | None,
    transactions: Sequence[Transaction],
) -> RoundDocument:
    """The document of a finished round.

    Args:
        chain_id: where it was played.
        contract: address.
        record: what the chain's logs say.
        texts: what each proposal told the two sides.
        training: None where nothing was trained.
        balances: by account; None: they are not known either, and count from 0.
        transactions: of the round.

    Raises:
        KeyError: the round is not over.
    """
    terms, stations = record.terms, record.side(Role.BASE_STATION)
    if balances is None:
        balances = {each.account: Balances(0, each.change) for each in record.members.values()}
    return RoundDocument(
        format=FORMAT,
        chain_id=chain_id,
        contract=contract,
        round_id=record.round_id,
        theta_range=terms.surplus_bps,
        theta_numerator=record.theta_numerator or 0,
        claimant=record.claimant,
        caps=Caps(terms.max_owner_bid, terms.max_station_bid),
        bond=terms.bond,
        contribution_stake=terms.contribution_stake,
        deadlines=terms.deadlines,
        threshold=terms.threshold_bps,
        tolerance=terms.tolerance_bps,
        policy=terms.owner_policy.name.lower(),
        status=_STATUS[record.status],
        selected=record.selected,
        pool=_pool(record),
        models=_models(record, texts),
        owners=tuple(_member(record, member, balances[member.account]) for member in record.side(Role.OWNER)),
        base_stations=tuple(_member(record, member, balances[member.account]) for member in stations),
        training=training,
        contributions=tuple(member.listed for member in stations),
        votes=tuple(VoteEntry(vote.account, vote.measured_accuracy_bps / 10_000, vote.uphold) for vote in record.votes),
        upheld=record.upheld,
        punished=record.punished,
        kept=record.kept,
        transactions=tuple(transactions),
    )


def _pool(record: RoundRecord) -> int:
    """C = K̂ + θ (V − K̂) at the selected model with K̂ = K · n_B / (n_B − 1), rounded down; 0 without one."""
    if record.selected is None or record.theta_numerator is None:
        return 0
    value, cost = (sums[record.selected] for sums in record.sums())
    stations, theta = len(record.committed(Role.BASE_STATION)), record.theta_numerator
    whole = cost * stations * (2**64 - theta) + theta * value * (stations - 1)
    return whole // ((stations - 1) * 2**64)


def _models(record: RoundRecord, texts: Sequence[Texts]) -> tuple[ModelEntry, ...]:
    stations = len(record.committed(Role.BASE_STATION))
    return tuple(
        ModelEntry(
            proposer=model.proposer,
            live=model.live,
            targets=() if owners is None else owners.targets,
            global_rounds=model.global_rounds,
            initial_digest=None if theirs is None else theirs.initial_model,
            claimed_accuracy=_claimed(record, number, owners),
            value=value,
            cost=cost,
            # Nothing is opened in a round that cannot be held.
            margin=((stations - 1) * value - stations * cost) // max(1, stations - 1),
        )
        for number, (model, (owners, theirs), value, cost) in enumerate(
            zip(record.models, texts, *record.sums(), strict=True)
        )
    )


def _claimed(record: RoundRecord, model: int, owners: OwnersView | None) -> float | None:
    """As its text says, or as the winner's report has opened it."""
    if record.result is not None and model == record.selected:
        return record.result[1] / 10_000
    return None if owners is None else owners.claimed_accuracy_bps / 10_000


def _member(record: RoundRecord, member: MemberRecord, balances: Balances) -> MemberEntry:
    settled = member.settled or Settled(0, 0, 0, 0, 0, 0)
    bids = member.bids(len(record.models))
    return MemberEntry(
        account=member.account,
        points=member.points,
        committed=member.committed,
        revealed=member.words is not None,
        claimant=member.account == record.claimant,
        recorded=len(member.updates),
        bids=None if bids is None else tuple(bids),
        share=settled.share if member.role is Role.OWNER else -(settled.reward + settled.forfeited),
        tax=settled.tax,
        reward=settled.reward,
        forfeited=settled.forfeited,
        slashed=settled.slashed,
        bonus=settled.bonus,
        lot=member.lot,
        payment=settled.payment,
        balance_before=balances.before,
        balance_after=balances.after,
    )


# ── the file ──


def write(document: RoundDocument, path: Path) -> None:
    """Write the document, whole or not at all."""
    write_atomically(path, (json.dumps(to_json(document), indent=2) + "\n").encode())


def to_json(document: RoundDocument) -> dict[str, Any]:
    """As JSON holds it: integers beyond 2^53 as strings."""
    found: dict[str, Any] = portable(asdict(document))
    if document.training is not None and document.training.text is not None:
        found["training"]["text"] = json.loads(document.training.text.to_bytes())
    return found


def portable(value: Any) -> Any:
    """As JSON holds it: integers beyond 2^53 as strings, for many readers know doubles only; tuples as lists."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [portable(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    return value


def read(path: Path) -> RoundDocument:
    """The document in a file.

    Raises:
        DocumentError: it is none of this format; the text says where.
        OSError: it cannot be read.
    """
    try:
        return from_json(shallow_json(path.read_bytes()))
    except ValueError as error:
        raise DocumentError(f"{path}: {error}") from error


def from_json(document: Any) -> RoundDocument:
    """The inverse of `to_json`.

    Raises:
        DocumentError: it is no document of this format; the text says where.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format", 1) if isinstance(document, dict) else None
        raise DocumentError(f"this is a round.json of format {shown(found)}, and format {FORMAT} is read here")
    result: RoundDocument = _read(RoundDocument, document, "the document")
    return result


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of JSON as a type that the dataclasses above have."""
    if kind is StationsView and isinstance(value, dict):
        try:
            return StationsView.from_bytes(canonical.encode(value))
        except (StoreError, ValueError) as error:
            raise DocumentError(f"{where} is no text of a proposal: {error}") from error
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_object(kind, value, where)
    if get_origin(kind) is UnionType:
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
        return None if value is None else _read(kind, value, where)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list) or (kinds[-1] is not ... and len(value) != len(kinds)):
            raise DocumentError(f"{where} is no list, or not as long as it should be")
        return tuple(_read(kinds[0], item, f"{where}[{number}]") for number, item in enumerate(value))
    if kind is int and isinstance(value, str) and value.removeprefix("-").isdecimal():
        value = int(value)
    if isinstance(value, int) and abs(value) >= 2**512:
        raise DocumentError(f"{where} is {shown(value)}, which no number of a round is")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DocumentError(f"{where} is {shown(value)}, which is no {kind.__name__}")
    return value


def _read_object(kind: type[T], value: Any, where: str) -> T:
    if not isinstance(value, dict):
        raise DocumentError(f"{where} is {shown(value)}, which is no object")
    known = {field.name: field.default is MISSING for field in fields(kind)}  # type: ignore[arg-type]
    lacking = sorted(name for name, needed in known.items() if needed and name not in value)
    if lacking or not known.keys() >= value.keys():
        unknown = sorted(value.keys() - known.keys())
        raise DocumentError(f"{where} lacks {lacking}" if lacking else f"{where} has {unknown}, which are not its own")
    kinds = get_type_hints(kind)
    return kind(**{name: _read(kinds[name], each, f"{where}.{name}") for name, each in value.items()})
