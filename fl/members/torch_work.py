"""A member's training with PyTorch: `fl.training` on its own data, behind the protocols of `fl.members.work`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from time import perf_counter

from torch import nn

from fl.members import training
from fl.members.order import Order
from fl.members.training import named_by
from fl.members.work import Aggregated, Delivered, Judged, Proposal, WorkError, WrongArtefact
from fl.store.artefacts import digest_of
from fl.store.errors import ViewError
from fl.store.texts import OwnersView, StationsView
from fl.training.averaging.aggregate import aggregate
from fl.training.cloud import train
from fl.training.config import Privacy, Rule, StationConfig, TrainingConfig
from fl.training.contribution.measure import measure_contributions
from fl.training.contribution.points import TOTAL_POINTS, contribution_points, total_margins
from fl.training.crews.crew import play_station
from fl.training.data.dataset import Samples, Shape
from fl.training.errors import DivergedError, ModelError, TooFewError, TrainingError
from fl.training.model.artefact import check_magnitudes, load_model, most_bytes, save_model
from fl.training.model.evaluation import UNJUDGED, Evaluation, evaluate
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from fl.training.station import Station, StationRound
from fl.training.strategy import NOTHING, Carried, pack, unpack
from fl.training.update import Update, load_update, save_update

ClientsOf = Callable[[Order, int], Sequence[Samples]]
"""The images of each client of a base station, restricted to an order's target labels; by the order and its number."""

TestOf = Callable[[tuple[str, ...]], Samples]
"""An owner's own test images of some target labels, labelled by their place among those."""

WORTH_TIMING = 50
"""Passes over the data in one global round, κ1 · κ2, from which on two are spent on finding out how long all take."""


def settings_of(order: Order, stations: int = 1) -> TrainingConfig:
    """The training that an order asks for.

    Raises:
        WrongArtefact: it asks for something that the engine does not have, or does not take from others.
    """
    try:
        return training.settings_of(order.text, order.targets, stations)
    except ViewError as error:
        raise WrongArtefact(str(error)) from error


def spec_of(order: Order, input_shape: Shape) -> ModelSpec:
    """The model that an order names, for images of a shape.

    Raises:
        WrongArtefact: the engine has no such model.
    """
    try:
        spec = ModelSpec(str(settings_of(order).model), input_shape, len(order.targets))
        has = _parameters(spec)
    except TrainingError as error:
        raise WrongArtefact(f"the order cannot be followed: {error}") from error
    if (said := order.text.parameters) != has:  # by this number a reader knows how large a file it takes
        raise WrongArtefact(f"the order says that its model has {said:,} parameters, and {spec.name} has {has:,}")
    return spec


@lru_cache(maxsize=16)
def _parameters(spec: ModelSpec) -> int:
    return sum(tensor.numel() for tensor in spec.initial_state(0).values())


@lru_cache(maxsize=4)
def _workspace(spec: ModelSpec) -> nn.Module:
    return spec.build()


def state_of(data: bytes, spec: ModelSpec) -> State:
    """The parameters of a model that another has made.

    Raises:
        WrongArtefact: it is another model, or none.
    """
    try:
        return load_model(data, spec)[1]
    except TrainingError as error:
        raise WrongArtefact(str(error)) from error


def _shape(samples: Samples) -> Shape:
    return tuple(samples.inputs.shape[1:])


def delivered(played: StationRound, samples: int) -> bytes:
    """A base station's global round as the update that it delivers, which counts for all images that it declared.

    Raises:
        WorkError: no update came of it.
    """
    if played.update is None:
        raise WorkError(played.reason)
    return save_update(replace(played.update, samples=samples))


@dataclass(frozen=True)
class TorchStation:
    """A base station's training.

    Attributes:
        clients_of: its data.
        privacy: that it gives its clients, whatever the order says of them; None: none.
        secret: of its own, that what hides them follows from.
    """

    clients_of: ClientsOf
    privacy: Privacy | None = None
    secret: bytes | None = field(default=None, repr=False)

    def samples(self, order: Order, station: int) -> int:
        """See `StationWork`."""
        return self._station(order, station).samples

    def seconds(self, order: Order, station: int, model: bytes) -> float:
        """See `StationWork`: by the faster of two passes over the data."""
        own, passes = self._station(order, station), order.text.local_epochs * order.text.edge_aggregations
        if passes < WORTH_TIMING:
            return 0
        once = replace(own, config=replace(own.config, local_epochs=1, edge_aggregations=1))
        state, tries = state_of(model, own.model), []
        for _ in range(2):
            begun = perf_counter()
            try:
                play_station(once, state, 0, _workspace(own.model))
            except TrainingError as error:
                raise WorkError(str(error)) from error
            tries.append(perf_counter() - begun)
        return passes * min(tries)

    def train(self, order: Order, station: int, model: bytes, global_round: int) -> bytes:
        """See `StationWork`."""
        own = self._station(order, station)
        if self.privacy is not None:
            if self.secret is None:  # the order's seed is everyone's
                raise WorkError("there is no secret to draw the noise from that hides clients")
            own = replace(own, noise_secret=self.secret)
        state = state_of(model, own.model)
        try:
            played = play_station(own, state, global_round, _workspace(own.model))
        except TrainingError as error:
            raise WorkError(str(error)) from error
        return delivered(played, own.samples)

    def stop(self) -> None:
        """See `StationWork`: nothing is ever under way."""

    def _station(self, order: Order, station: int) -> Station:
        settings = settings_of(order)
        try:
            clients = tuple(self.clients_of(order, station))
            spec = spec_of(order, _shape(clients[0]))
            if settings.station is None:
                raise TypeError("an order's settings have a station's")
            config = replace(settings.station, privacy=self.privacy)
            if config.augment and not spec.has_images:
                raise WorkError(f"the order augments images, and inputs of shape {spec.input_shape} are none")
            return Station(station, spec, clients, config, settings.seed)
        except TrainingError as error:
            raise WorkError(str(error)) from error


@dataclass(frozen=True)
class Offer:
    """What an owner would have trained.

    Attributes:
        settings: of the whole training, its target labels among them.
        station: of a base station.
        claimed_bps: the accuracy that it claims, 1/10,000.
        weight_limit: most that an update weighs, in medians of the samples.
    """

    settings: TrainingConfig
    station: StationConfig
    claimed_bps: int
    weight_limit: int = 2


@dataclass(frozen=True)
class TorchOwner:
    """An owner's training and judging.

    Attributes:
        test_of: its test images.
        offer: what it proposes; None: nothing.
        contribution: how it measures contributions, one of `fl.training.config.METHODS`.
    """

    test_of: TestOf
    offer: Offer | None = None
    contribution: str = "margin"

    @cached_property
    def _proposal(self) -> Proposal:
        offer = self.offer
        if offer is None or (name := offer.settings.model) is None:
            raise WorkError("this owner proposes no model")
        settings, station, targets = offer.settings, offer.station, tuple(offer.settings.targets or ())
        try:
            spec = ModelSpec(name, _shape(self.test_of(targets)), len(targets))
            state = spec.initial_state(settings.seed)
        except TrainingError as error:
            raise WorkError(str(error)) from error
        initial = save_model(spec, state)
        text = StationsView(
            model=name,
            dataset=settings.dataset,
            label_count=len(targets),
            parameters=sum(tensor.numel() for tensor in state.values()),
            initial_model=digest_of(initial),
            weight_limit=offer.weight_limit,
            **named_by(settings, station),
        )
        return Proposal(OwnersView(offer.claimed_bps, targets), text, initial)

    def proposal(self) -> Proposal:
        """See `OwnerWork`."""
        return self._proposal

    def most_bytes(self, order: Order) -> int:
        """See `OwnerWork`."""
        return most_bytes(self._spec(order))

    def check(self, order: Order, station: int, global_round: int, data: bytes) -> int:
        """See `OwnerWork`."""
        update = self._load(order, data)
        if (update.station, update.global_round) != (station, global_round):
            raise WrongArtefact(
                f"its update is of base station {update.station} in global round {update.global_round + 1}, "
                f"not of {station} in {global_round + 1}"
            )
        return update.samples

    def aggregate(
        self,
        order: Order,
        global_round: int,
        model: bytes,
        updates: Sequence[Delivered],
        refused: int,
        carried: bytes = b"",
    ) -> Aggregated:
        """See `OwnerWork`; `fl.training.cloud.train` is the one loop, and the chain its crew."""
        spec, state = self._model(order, model)
        stations = 1 + max((each.station for each in updates), default=-1) + refused
        settings = replace(settings_of(order, max(1, stations)), contribution="none")
        crew = Recorded(tuple(self._weighed(order, each) for each in updates), refused)
        server = Carried(unpack(carried)[0]) if carried else NOTHING
        try:
            done = next(train(settings, spec, crew, state=state, carried=server, first_round=global_round))
            check_magnitudes(done.state)
        except (DivergedError, ModelError):
            return Aggregated(save_model(spec, state, global_round=global_round), carried)
        after = pack((done.carried.server,)) if done.carried.server else b""
        return Aggregated(save_model(spec, done.state, global_round=global_round), after)

    def judge(self, order: Order, model: bytes) -> Judged:
        """See `OwnerWork`."""
        spec, state = self._model(order, model)
        try:
            judged = self._judge(order, spec)(state)
        except DivergedError as error:
            raise WrongArtefact(str(error)) from error
        return Judged(judged.accuracy, judged.accuracy_bps, judged.loss)

    def points(
        self, order: Order, rounds: Sequence[tuple[bytes, Sequence[Delivered]]], stations: int
    ) -> Mapping[int, int]:
        """See `OwnerWork`: by the margin in accuracy of every recorded update, added up (paper, IV-C), or as asked."""
        margins = []
        for number, (before, updates) in enumerate(rounds):
            spec, state = self._model(order, before)
            judge = self._judge(order, spec)
            settings = replace(settings_of(order, stations), contribution=self.contribution)
            held = [self._weighed(order, each) for each in updates]
            margins.append(measure_contributions(settings, number, judge(state), held, judge).values)
        totals = total_margins(margins)
        most = 2 * TOTAL_POINTS // stations
        if len(totals) < 2 or len(totals) * most < TOTAL_POINTS:
            return {}
        return dict(zip(totals, contribution_points(list(totals.values()), most=most), strict=True))

    def _model(self, order: Order, data: bytes) -> tuple[ModelSpec, State]:
        spec = self._spec(order)
        return spec, state_of(data, spec)

    def _spec(self, order: Order) -> ModelSpec:
        return spec_of(order, _shape(self.test_of(order.targets)))

    def _judge(self, order: Order, spec: ModelSpec) -> Callable[[State], Evaluation]:
        test = self.test_of(order.targets)
        return lambda state: evaluate(_workspace(spec), state, test, 1)

    def _load(self, order: Order, data: bytes) -> Update:
        try:
            return load_update(data, self._spec(order))
        except TrainingError as error:
            raise WrongArtefact(str(error)) from error

    def _weighed(self, order: Order, delivered: Delivered) -> Update:
        return replace(self._load(order, delivered.data), samples=delivered.weight)


@dataclass(frozen=True)
class Recorded:
    """The chain as a crew: `play` yields the updates that base stations recorded, wherever they trained.

    Attributes:
        updates: of one global round, checked.
        refused: how many further ones are not what they have to be; they count among those that a rule tolerates.
    """

    updates: tuple[Update, ...]
    refused: int

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """See `Crew`."""
        delivered = {update.station: update for update in self.updates}
        refused = self.refused
        for index in stations:
            update = delivered.get(index)
            if update is None and refused > 0:
                refused -= 1
                yield StationRound(index, None, reason="its update was refused", diverged=True)
            else:
                yield StationRound(index, update, reason="" if update else "it recorded no update")

    def combine(self, updates: Sequence[Update], rule: Rule, dropped: int = 0) -> State:
        """See `Crew`."""
        try:
            return aggregate(updates, rule, dropped)
        except TrainingError as error:
            raise TooFewError(str(error)) from error

    def gather(self, updates: Sequence[Update]) -> Sequence[Update]:
        """See `Crew`."""
        return updates

    def evaluate(self, state: State) -> Evaluation:
        """Of no image: what the updates make hangs on nobody's test data."""
        return UNJUDGED
