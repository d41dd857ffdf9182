"""What crosses each tier, and how long it would take over given links.

Counted are models: a base station sends its model to every client that it draws, for each edge aggregation, and gets
one from each that returns; the cloud sends the global model to every base station, each global round, and gets one
from each that has an update. Updates that are quantised are counted with the bytes that they have. What a strategy
carries goes with them, as SCAFFOLD's control variates: the server's down with every model, a client's up with its
model, and with its base station's update once in a global round.

Simulated time is that of synchronous rounds. Every link is its user's own, a message of b bytes takes
`latency + 8·b / bandwidth`, and who is missing is not waited for:

    edge aggregation = max over clients (client link down + compute + client link up)
    global round     = max over base stations (cloud link down + Σ edge aggregations + cloud link up)

Flat federated averaging is one base station that is the cloud: all clients under it, their link to the cloud as the
client link, and one that takes no time as the cloud link.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fl.training.errors import TrainingError
from fl.training.model.parameters import size_of
from fl.training.station import ClientWork, Outcome, StationRound


@dataclass(frozen=True)
class Traffic:
    """Models that crossed a tier, and their bytes; down is towards the clients."""

    down_messages: int = 0
    down_bytes: int = 0
    up_messages: int = 0
    up_bytes: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.down_messages + other.down_messages,
            self.down_bytes + other.down_bytes,
            self.up_messages + other.up_messages,
            self.up_bytes + other.up_bytes,
        )


@dataclass(frozen=True)
class Tiers:
    """Traffic between clients and base stations, and between base stations and the cloud."""

    clients: Traffic = Traffic()
    cloud: Traffic = Traffic()

    def __add__(self, other: Tiers) -> Tiers:
        return Tiers(self.clients + other.clients, self.cloud + other.cloud)


@dataclass(frozen=True)
class Link:
    """A link of one party.

    Attributes:
        bandwidth: bits per second, in each direction.
        latency: seconds before the first bit arrives.

    Raises:
        TrainingError: the bandwidth is not positive, or the latency negative.
    """

    bandwidth: float
    latency: float

    def __post_init__(self) -> None:
        if not self.bandwidth > 0:
            raise TrainingError(f"a link's bandwidth must be positive, not {self.bandwidth}")
        if not (self.latency >= 0 and math.isfinite(self.latency)):
            raise TrainingError(f"a link's latency must be at least 0, not {self.latency}")

    def seconds(self, size: int) -> float:
        """How long a message of so many bytes takes."""
        return self.latency + 8 * size / self.bandwidth


@dataclass(frozen=True)
class Links:
    """The links of a federation, and how fast its clients compute.

    Attributes:
        client: between a client and its base station.
        cloud: between a base station and the cloud.
        seconds_per_image: that a client computes on each sample of each local epoch; None: as long as it took on
            this machine. A straggler takes as long over its fewer epochs as the others over all.
        own_client: links of clients that have another one, by base station and client.
        own_cloud: the same of base stations.
        own_seconds: seconds per image of clients that have their own, by base station and client.
    """

    client: Link
    cloud: Link
    seconds_per_image: float | None = None
    own_client: Mapping[tuple[int, int], Link] = field(default_factory=dict)
    own_cloud: Mapping[int, Link] = field(default_factory=dict)
    own_seconds: Mapping[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for seconds in (self.seconds_per_image, *self.own_seconds.values()):
            if seconds is not None and not (seconds >= 0 and math.isfinite(seconds)):
                raise TrainingError(f"seconds per image must be at least 0, not {seconds}")

    def compute(self, station: int, work: ClientWork, local_epochs: int) -> float:
        """Seconds that a client computes in an edge aggregation."""
        seconds = self.own_seconds.get((station, work.client), self.seconds_per_image)
        return work.seconds if seconds is None else seconds * work.samples * local_epochs


@dataclass(frozen=True)
class Updates:
    """Bytes of the updates of a base station and its clients, where they are not sent as models."""

    client: int
    station: int


@dataclass(frozen=True)
class _Messages:
    """Bytes of the messages of a base station's global round.

    Attributes:
        down: of the model, and of what the server carries.
        client: of a client's update.
        station: of the base station's.
        carried: of the state of each client; empty where they carry none.
    """

    down: int
    client: int
    station: int
    carried: tuple[int, ...]

    @classmethod
    def of(cls, played: StationRound, size: int, updates: Mapping[int, Updates] | None, broadcast: int) -> _Messages:
        sent = (updates or {}).get(played.station, Updates(size, size))
        return cls(size + broadcast, sent.client, sent.station, tuple(map(size_of, played.clients)))

    def from_client(self, client: int) -> int:
        """What a client sends."""
        return self.client + (self.carried[client] if self.carried else 0)

    def from_station(self, played: StationRound) -> int:
        """What its base station sends: states of those clients that have sent a new one."""
        used = {each.client for work in played.work for each in work if each.outcome is Outcome.RETURNED}
        return self.station + sum(self.carried[client] for client in used if self.carried)


def count_traffic(
    stations: Iterable[StationRound], size: int, updates: Mapping[int, Updates] | None = None, broadcast: int = 0
) -> Tiers:
    """What a global round sent across each tier.

    Args:
        stations: what each base station did.
        size: bytes of a model.
        updates: of updates, by base station; None: they are as large as models.
        broadcast: bytes of what the strategy sends with the global model.
    """
    total = Tiers()
    for played in stations:
        sent = _Messages.of(played, size, updates, broadcast)
        drawn = sum(len(work) for work in played.work)
        returned = [each.client for work in played.work for each in work if each.outcome is Outcome.RETURNED]
        back = int(played.update is not None)
        total += Tiers(
            Traffic(drawn, drawn * sent.down, len(returned), sum(map(sent.from_client, returned))),
            Traffic(1, sent.down, back, back * sent.from_station(played)),
        )
    return total


def simulate_round(
    stations: Iterable[StationRound],
    size: int,
    links: Links,
    local_epochs: Mapping[int, int],
    updates: Mapping[int, Updates] | None = None,
    broadcast: int = 0,
) -> float:
    """Seconds that a global round takes over these links.

    Args:
        stations: what each base station did; one without an update is not waited for.
        size: bytes of a model.
        links: of the clients and base stations.
        local_epochs: κ1 of each base station, by its index.
        updates: see `count_traffic`.
        broadcast: the same.
    """

    def station(played: StationRound) -> float:
        sent = _Messages.of(played, size, updates, broadcast)

        def client(work: ClientWork) -> float:
            link = links.own_client.get((played.station, work.client), links.client)
            computing = links.compute(played.station, work, local_epochs[played.station])
            return link.seconds(sent.down) + computing + link.seconds(sent.from_client(work.client))

        cloud = links.own_cloud.get(played.station, links.cloud)
        edges = ([client(each) for each in work if each.outcome is Outcome.RETURNED] for work in played.work)
        edge_seconds = sum(max(edge, default=0.0) for edge in edges)
        return cloud.seconds(sent.down) + edge_seconds + cloud.seconds(sent.from_station(played))

    return max((station(played) for played in stations if played.update is not None), default=0.0)
