"""The training that a member does, behind a protocol: `fl.members.torch_work` has it for PyTorch.

Models and updates are artefacts: bytes whose SHA-256 stands on chain. Base stations are numbered from 0 in the order of
their commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from fl.faults import Fault
from fl.members.order import Order
from fl.store.signed import Signed
from fl.store.texts import OwnersView, StationsView


class WorkError(Fault, RuntimeError):
    """Training, or judging a model, that cannot be done with what there is."""


class Unfinished(Fault):
    """Work that is under way in another process: ask again for the same."""


class WrongArtefact(WorkError):
    """An update or a model of another member that is not what it has to be; the text says why."""


@dataclass(frozen=True)
class Proposal:
    """A model to propose: what each side may read of it, and the model that training starts from."""

    owners: OwnersView
    stations: StationsView
    initial: bytes


@dataclass(frozen=True)
class Judged:
    """How a model does on an owner's own test data.

    Attributes:
        accuracy: 0 … 1.
        accuracy_bps: the same as a vote brings it, 1/10,000.
        loss: mean cross-entropy.
    """

    accuracy: float
    accuracy_bps: int
    loss: float


@dataclass(frozen=True)
class Delivered:
    """A base station's update that was checked.

    Attributes:
        station: its number.
        data: the artefact.
        weight: images that it counts for.
        samples: images that its station says it was trained on.
        signed: what its station signed of it.
    """

    station: int
    data: bytes
    weight: int
    samples: int = 0
    signed: Signed | None = None


@dataclass(frozen=True)
class Aggregated:
    """What updates make.

    Attributes:
        model: the next global model, an artefact.
        carried: what the order's strategy carries to the next global round, an artefact; b"": nothing.
    """

    model: bytes
    carried: bytes = b""


@dataclass(frozen=True)
class Updates:
    """The updates of a global round, by account.

    Attributes:
        delivered: those that count.
        absent: why there is none that counts, of the other base stations that train.
        refused: how many of these have recorded one.
    """

    delivered: Mapping[str, Delivered]
    absent: Mapping[str, str]
    refused: int


class StationWork(Protocol):
    """What a base station does with its own clients' data."""

    def samples(self, order: Order, station: int) -> int:
        """Number of training images that it has for this order.

        Raises:
            WorkError: it cannot follow the order.
            Unfinished: it is not known yet.
        """
        ...

    def seconds(self, order: Order, station: int, model: bytes) -> float:
        """About how long a global round takes here; 0 where that is not worth trying out.

        Raises:
            WrongArtefact: the model is not one of this order.
            WorkError: no update comes of it.
            Unfinished: it is not known yet.
        """
        ...

    def train(self, order: Order, station: int, model: bytes, global_round: int) -> bytes:
        """One global round: the update as an artefact.

        Raises:
            WrongArtefact: the model is not one of this order.
            WorkError: no update came of it.
            Unfinished: it is still under way.
        """
        ...

    def stop(self) -> None:
        """End what is under way: nobody wants it any more."""
        ...


class OwnerWork(Protocol):
    """What an owner does with its model, or another's."""

    def proposal(self) -> Proposal:
        """The model that it proposes; the same each time."""
        ...

    def most_bytes(self, order: Order) -> int:
        """Bytes that a model or an update of an order has at most, by the model and not by what the order says.

        Raises:
            WrongArtefact: the order cannot be followed.
        """
        ...

    def check(self, order: Order, station: int, global_round: int, data: bytes) -> int:
        """The number of samples that an update names; what is none of that base station and global round is refused.

        Raises:
            WrongArtefact: it is none.
        """
        ...

    def aggregate(
        self,
        order: Order,
        global_round: int,
        model: bytes,
        updates: Sequence[Delivered],
        refused: int,
        carried: bytes = b"",
    ) -> Aggregated:
        """The next global model, by the order's rule and strategy; the model as it was where too few updates are there.

        It follows from these arguments alone, bit for bit, for whoever works it out.

        Args:
            order: of the round.
            global_round: which.
            model: the global model that it started from.
            updates: checked.
            refused: how many further ones were recorded and are not what they have to be.
            carried: by the order's strategy from the global round before.
        """
        ...

    def judge(self, order: Order, model: bytes) -> Judged:
        """How a model does on the owner's own test data.

        Raises:
            WrongArtefact: it is not one of this order.
        """
        ...

    def points(
        self, order: Order, rounds: Sequence[tuple[bytes, Sequence[Delivered]]], stations: int
    ) -> Mapping[int, int]:
        """The points that it finds right, by base station; none where too few have an update to add up.

        Args:
            order: of the round.
            rounds: of each global round, the model that it started from and the checked updates.
            stations: how many have committed.
        """
        ...


def weight_of(samples: int, declared: Sequence[int], limit: int) -> int:
    """The images that an update counts for: what its station declared, but at most `limit` times the median.

    A station alone says how many images it has. So it cannot take the model over by what it says.

    Args:
        samples: what it declared.
        declared: what all that train have.
        limit: as the order has it.
    """
    in_order = sorted(declared)
    median = in_order[(len(in_order) - 1) // 2]
    return min(samples, limit * median)


def weighed(found: Mapping[str, Delivered], limit: int) -> dict[str, Delivered]:
    """Updates with the weights that they have among each other; `limit` as `weight_of` takes it."""
    samples = [each.samples for each in found.values()]
    return {account: replace(each, weight=weight_of(each.samples, samples, limit)) for account, each in found.items()}
