"""The members of a simulated round: each with an account, numbers, data and a journal of its own, and nothing else."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from fl.crowdfunding.settings import RoundSettings
from fl.crowdfunding.valuations import Valuations, draw
from fl.members.order import Order
from fl.members.owner import OwnerConduct
from fl.members.torch_work import Offer, TorchOwner, TorchStation, delivered, state_of
from fl.members.work import WorkError
from fl.training.crews.crew import Crew
from fl.training.crews.pool import Pool, open_crew
from fl.training.data.dataset import Samples, labels_of, load_dataset
from fl.training.federation import Federation, build_federation
from fl.training.pilot import expected_bps, forecast_once
from fl.training.seeds import Stream, derive_seed
from fl.training.station import StationRound

PILOTS = Path(".cache/pilots")
"""Where forecasts are kept."""


@dataclass(frozen=True)
class Stage:
    """What a round needs beside a chain: the data's labels, every member's numbers, what each model trains on.

    Attributes:
        claims: the accuracy that each proposer expects of its model, 1/10,000.
    """

    settings: RoundSettings
    labels: tuple[str, ...]
    valuations: Valuations
    federations: tuple[Federation, ...]
    claims: tuple[int, ...]

    @classmethod
    def of(cls, settings: RoundSettings) -> "Stage":
        """A model that cannot be trained is noticed here, before anybody locks funds.

        Raises:
            TrainingError: there is one.
        """
        labels = labels_of(settings.dataset, settings.data_dir)
        valuations = draw(settings, labels)
        # Only images that are needed are read.
        whole = load_dataset(settings.dataset, settings.data_dir) if settings.train_images is None else None
        federations = tuple(
            build_federation(settings.training(valuations.targets(owner)), whole) for owner in range(settings.proposals)
        )
        return cls(settings, labels, valuations, federations, _claims(settings, federations))

    def clients_of(self, order: Order, station: int) -> Sequence[Samples]:
        """The images of a base station's clients for an order."""
        return self.federation(order.targets).stations[station].clients

    def test_of(self, owner: int, targets: tuple[str, ...]) -> Samples:
        """An owner's test images of these labels."""
        return with_own_data(self.federation(targets), owner).dataset.test

    def federation(self, targets: tuple[str, ...]) -> Federation:
        """Everybody's data for a model of these labels.

        Raises:
            WorkError: no member has any.
        """
        for each in self.federations:
            if each.config.targets == targets:
                return each
        raise WorkError(f"no member has data for the labels {', '.join(targets)}")

    def owner(self, index: int) -> tuple[TorchOwner, OwnerConduct]:
        """What an owner judges by and proposes, and how it goes about the round."""
        offer = None
        if index < len(self.federations):
            federation = self.federations[index]
            settings = replace(federation.config, model=federation.model.name)
            offer = Offer(settings, federation.stations[0].config, self.claims[index])
        test_of = cache(lambda targets: self.test_of(index, targets))
        return TorchOwner(test_of, offer, self.settings.contribution), OwnerConduct(proposes=offer is not None)


class Together:
    """The work of base stations in one process, which train a global round at once where worker processes help.

    Args:
        stage: their data.
        workers: number of worker processes; None: what suits.
        stack: ends the workers.

    Attributes:
        alone: the work of one that trains by itself.
    """

    def __init__(self, stage: Stage, workers: int | None, stack: ExitStack):
        self._stage, self._workers, self._stack = stage, workers, stack
        self.alone = TorchStation(stage.clients_of)
        self._crew: Crew | None = None
        self._played: tuple[int, bytes, dict[int, StationRound]] = (-1, b"", {})

    def samples(self, order: Order, station: int) -> int:
        """See `fl.members.work.StationWork`."""
        return self.alone.samples(order, station)

    def seconds(self, order: Order, station: int, model: bytes) -> float:
        """See `fl.members.work.StationWork`: the clock waits for it, however long it takes."""
        return 0

    def stop(self) -> None:
        """See `fl.members.work.StationWork`: nothing is ever under way."""

    def train(self, order: Order, station: int, model: bytes, global_round: int) -> bytes:
        """See `fl.members.work.StationWork`: whoever is first in a global round lets all of them train."""
        federation = self._stage.federation(order.targets)
        if self._crew is None:
            self._crew = self._stack.enter_context(open_crew(federation, self._workers))
        if not isinstance(self._crew, Pool):
            return self.alone.train(order, station, model, global_round)
        if self._played[:2] != (global_round, model):
            state = state_of(model, federation.model)
            rounds = self._crew.play(state, global_round, range(len(federation.stations)))
            self._played = (global_round, model, {each.station: each for each in rounds})
        return delivered(self._played[2][station], federation.stations[station].samples)


def with_own_data(federation: Federation, owner: int) -> Federation:
    """The federation as an owner judges models: by test images of its own, a random half of all."""
    test = federation.dataset.test
    rng = np.random.default_rng(derive_seed(federation.config.seed, Stream.OWN_TEST, owner))
    half = np.sort(rng.permutation(len(test))[: (len(test) + 1) // 2])
    return replace(federation, dataset=replace(federation.dataset, test=test.take(half)))


def _claims(settings: RoundSettings, federations: Sequence[Federation]) -> tuple[int, ...]:
    """Each proposer judges its pilot as an elector judges, by test images of its own, and claims what to expect."""
    if settings.pilot is None:
        return (settings.claimed_accuracy_bps,) * len(federations)
    pilots = (
        forecast_once(with_own_data(federation, owner), settings.pilot, PILOTS)
        for owner, federation in enumerate(federations)
    )
    return tuple(map(expected_bps, pilots))
