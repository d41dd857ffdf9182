"""A base station: the edge server of its clients, and a party of its own in a crowdfunding round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from fl.training.average import average
from fl.training.client import train_client
from fl.training.config import StationConfig
from fl.training.data import Samples
from fl.training.errors import DataError, DivergedError, ModelError
from fl.training.models import ModelSpec
from fl.training.runtime import use_threads
from fl.training.seeds import Stream, derive_seed
from fl.training.state import State, copy_state, load_metadata, load_model, put_state, save_model


@dataclass(frozen=True, eq=False)
class Update:
    """What a base station returns for one global round.

    Attributes:
        model: what `state` are the parameters of.
        station: index of the base station.
        epoch: the global round, 0 … rounds − 1.
        state: its local model after κ2 edge aggregations.
        samples: number of training images of its clients, its weight in the global average.
    """

    model: ModelSpec
    station: int
    epoch: int
    state: State
    samples: int


@dataclass(frozen=True, eq=False)
class Station:
    """A base station with its clients' images.

    Attributes:
        index: among the base stations, from 0.
        model: what is trained.
        clients: images of each client.
        config: κ1, κ2 and the clients' SGD.
        seed: of the run.

    Raises:
        DataError: it has no client, or a client has no image.
    """

    index: int
    model: ModelSpec
    clients: tuple[Samples, ...]
    config: StationConfig
    seed: int

    def __post_init__(self) -> None:
        if not self.clients:
            raise DataError(f"base station {self.index} has no client")
        for number, samples in enumerate(self.clients):
            if len(samples) == 0:
                raise DataError(f"client {number} of base station {self.index} has no training image")

    @property
    def samples(self) -> int:
        """Number of training images of all its clients."""
        return sum(len(samples) for samples in self.clients)

    def train_round(self, global_state: State, epoch: int, workspace: nn.Module | None = None) -> Update:
        """One global round at this base station: κ2 times, all clients train and their models are averaged.

        HierFAVG (Liu et al. 2020), Algorithm 1, between two cloud aggregations. Depends on its arguments and
        the seed only: base stations may train in any order, in any process.

        Args:
            global_state: the global model, left unchanged.
            epoch: the global round, 0 … rounds − 1.
            workspace: a module to compute in, to save building one; its parameters are overwritten.

        Raises:
            ModelError: `global_state` is of another model.
            DivergedError: a client's loss is not a finite number.
        """
        module = self.model.build() if workspace is None else workspace
        state = global_state
        with use_threads(self.config.threads):
            for aggregation in range(self.config.edge_aggregations):
                state = average(self._trained_clients(module, state, epoch, aggregation))
        return Update(self.model, self.index, epoch, state, self.samples)

    def _trained_clients(
        self, module: nn.Module, edge_state: State, epoch: int, aggregation: int
    ) -> Iterator[tuple[State, int]]:
        for number, samples in enumerate(self.clients):
            put_state(module, edge_state)
            seed = derive_seed(self.seed, Stream.CLIENT, epoch, aggregation, self.index, number)
            try:
                train_client(module, samples, self.config, seed)
            except DivergedError as error:
                raise DivergedError(
                    f"global round {epoch}, base station {self.index}, client {number}: {error}"
                ) from error
            yield copy_state(module), len(samples)


def save_update(update: Update) -> bytes:
    """An update as an artefact; its SHA-256 is what the base station records on chain."""
    fields = {"station": update.station, "epoch": update.epoch, "samples": update.samples}
    return save_model(update.model, update.state, **fields)


def load_update(data: bytes) -> Update:
    """An update saved by `save_update`.

    Raises:
        ModelError: `data` is not one.
    """
    spec, state = load_model(data)
    metadata = load_metadata(data)
    try:
        return Update(spec, int(metadata["station"]), int(metadata["epoch"]), state, int(metadata["samples"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the artefact is a model but not a base station's update: {error}") from error
