"""A base station: the edge server of its clients, and a party of its own in a crowdfunding round."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from time import perf_counter

from torch import nn

from fl.training.averaging.combine import combine
from fl.training.client import train_client
from fl.training.config import StationConfig
from fl.training.data.dataset import Samples
from fl.training.errors import DataError, DivergedError, TooFewError, TrainingError
from fl.training.model.evaluation import evaluate
from fl.training.model.objective import Objective
from fl.training.model.optimizers import rate_in
from fl.training.model.parameters import State, put_state, view_state
from fl.training.model.runtime import use_threads
from fl.training.model.spec import ModelSpec
from fl.training.participation import draw_clients
from fl.training.seeds import Stream, derive_seed
from fl.training.sending.privacy import add_noise, check_hidden, clip
from fl.training.sending.quantisation import quantise
from fl.training.strategy import NO_STATES, States, Strategy, asked, carries_for_clients, tensors_of
from fl.training.update import Update

log = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of a client in an edge aggregation."""

    RETURNED = "returned"
    MISSING = "missing"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class ClientWork:
    """What a client did in one edge aggregation.

    Attributes:
        client: index in its base station.
        samples: number of its training samples.
        epochs: local epochs that it got through.
        outcome: whether its model was used.
        loss: mean of the last local epoch; None where no model came back.
        seconds: that training it took on this machine.
    """

    client: int
    samples: int
    epochs: int
    outcome: Outcome
    loss: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class StationRound:
    """A base station's global round, whether or not an update came of it.

    Attributes:
        station: index of the base station.
        update: None where too few clients returned a model, or more had diverged than the rule tolerates.
        work: of the drawn clients, for each edge aggregation.
        reason: why there is no update.
        diverged: whether that is because losses were not finite.
        clients: what the strategy carries for each client; empty where it carries nothing.
    """

    station: int
    update: Update | None
    work: tuple[tuple[ClientWork, ...], ...] = ()
    reason: str = ""
    diverged: bool = False
    clients: States = NO_STATES


@dataclass(frozen=True, eq=False)
class Station:
    """A base station with its clients' samples.

    Attributes:
        index: among the base stations, from 0.
        model: what is trained.
        clients: samples of each client, all on one device.
        config: κ1, κ2, the clients' SGD, who takes part, and how their models are combined.
        seed: of the run.
        strategy: what it adds to averaging.
        noise_secret: that what hides clients follows from, which whoever knows it can take off; None: the seed.

    Raises:
        DataError: it has no client, or a client has no sample.
        TrainingError: clients are to be hidden, and the model or the strategy has tensors that no noise hides; or steps
            are to be recorded that the strategy corrects.
    """

    index: int
    model: ModelSpec
    clients: tuple[Samples, ...]
    config: StationConfig
    seed: int
    strategy: Strategy = field(default_factory=Strategy)
    noise_secret: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.clients:
            raise DataError(f"base station {self.index} has no client")
        for number, samples in enumerate(self.clients):
            if len(samples) == 0:
                raise DataError(f"client {number} of base station {self.index} has no training sample")
        if self.config.graphs and type(self.strategy).correction is not Strategy.correction:
            what = type(self.strategy).__name__
            raise TrainingError(f"{what} corrects the clients' steps, which cannot be recorded: leave graphs out")
        if self.config.privacy is not None:
            check_hidden(self.model)
            if carries_for_clients(self.strategy):
                what = type(self.strategy).__name__
                raise TrainingError(f"no noise hides what {what} carries for clients: choose another strategy")

    @property
    def samples(self) -> int:
        """Number of training samples of all its clients."""
        return sum(len(samples) for samples in self.clients)

    def train_round(self, global_state: State, global_round: int, workspace: nn.Module | None = None) -> Update:
        """The update of `play`.

        Raises:
            ModelError: `global_state` is of another model.
            DivergedError: the losses of all clients that took part are not finite numbers.
            TooFewError: too few clients took part.
        """
        played = self.play(global_state, global_round, workspace)
        if played.update is None:
            raise (DivergedError if played.diverged else TooFewError)(played.reason)
        return played.update

    def play(
        self,
        global_state: State,
        global_round: int,
        workspace: nn.Module | None = None,
        broadcast: State | None = None,
        clients: States = NO_STATES,
    ) -> StationRound:
        """One global round at this base station: κ2 times, clients train and their models are combined.

        HierFAVG (Liu et al. 2020), Algorithm 1, between two cloud aggregations. A client whose loss is not a finite
        number is left out and reported, and counts among the wrong ones that the rule tolerates; with more of them
        the base station has no update. Where too few clients took part, the base station's model stays as it is for
        that edge aggregation. Depends on its arguments and the seed only: base stations may train in any order,
        in any process.

        Args:
            global_state: the global model, left unchanged.
            global_round: the global round, 0 … rounds − 1.
            workspace: a module to compute in, to save building one; its parameters are overwritten.
            broadcast: what the strategy sends with the global model; None: nothing.
            clients: what it carries for each client; empty: nothing yet.

        Raises:
            ModelError: `global_state` is of another model.
            TrainingError: something that the settings name fails.
        """
        carried = list(clients) or [State() for _ in self.clients]
        module = self.model.build(device=self.clients[0].labels.device) if workspace is None else workspace
        state = global_state
        used: set[int] = set()
        rounds: list[tuple[ClientWork, ...]] = []
        reasons: list[str] = []
        names = self.model.trained() if self.config.rule.name == "multi-krum" else None

        def where(aggregation: int) -> str:
            return f"global round {global_round}, base station {self.index}, edge aggregation {aggregation}"

        with use_threads(self.config.threads):
            for aggregation in range(self.config.edge_aggregations):
                work: list[ClientWork] = []
                try:
                    trained = self._trained(
                        module, state, global_round, aggregation, work, reasons, broadcast or {}, carried
                    )
                    state = combine(self.config.rule, trained, names)
                    if (privacy := self.config.privacy) is not None and privacy.at == "station":
                        sent = sum(each.outcome is Outcome.RETURNED for each in work)
                        put_state(module, state)
                        add_noise(module, privacy, self._secret_of(global_round, aggregation), terms=sent)
                        state = _copy_of(module)
                    used |= {each.client for each in work if each.outcome is Outcome.RETURNED}
                except TooFewError as error:
                    shortage = f"{where(aggregation)}: too few clients: {error}"
                    log.warning("%s; the base station's model stays as it is", shortage)
                except DivergedError as error:
                    rounds.append(tuple(work))
                    why = f"{where(aggregation)}: {error}"
                    return StationRound(self.index, None, tuple(rounds), why, True, _held(carried))
                rounds.append(tuple(work))
        if not used:
            why = (reasons or [shortage])[0]
            return StationRound(self.index, None, tuple(rounds), why, bool(reasons), _held(carried))
        samples = sum(len(self.clients[client]) for client in used)
        if self.config.station_bits is not None:
            put_state(module, state)
            seed = derive_seed(self.seed, Stream.QUANTISATION, global_round, self.index)
            quantise(module, global_state, self.config.station_bits, seed)
            state = _copy_of(module)
        update = Update(self.model, self.index, global_round, state, samples)
        return StationRound(self.index, update, tuple(rounds), clients=_held(carried))

    def _trained(
        self,
        module: nn.Module,
        station_state: State,
        global_round: int,
        aggregation: int,
        work: list[ClientWork],
        reasons: list[str],
        broadcast: State,
        carried: list[State],
    ) -> Iterator[tuple[State, int] | None]:
        """Train the drawn clients one by one, None for one that diverged.

        `work` and `reasons` (of those) grow, and `carried` changes.
        """
        rate = rate_in(self.config, global_round)
        privacy = self.config.privacy
        for part in draw_clients(self.config, len(self.clients), self.seed, global_round, aggregation, self.index):
            samples = self.clients[part.client]
            if not part.returns:
                work.append(ClientWork(part.client, len(samples), part.epochs, Outcome.MISSING))
                continue
            put_state(module, station_state)
            seed = derive_seed(self.seed, Stream.CLIENT, global_round, aggregation, self.index, part.client)
            start = perf_counter()
            loss, outcome = None, Outcome.RETURNED
            try:
                client = self._started(module, station_state, samples, broadcast, carried[part.client])
                correction = self._correction(station_state, broadcast, client)
                loss = train_client(module, samples, self.config, seed, part.epochs, rate, correction)
                steps = part.epochs * -(-len(samples) // self.config.batch_size)
                carried[part.client] = self._carry(module, station_state, broadcast, client, steps, rate, len(samples))
            except DivergedError as error:
                what = f"global round {global_round}, base station {self.index}, client {part.client}: {error}"
                if privacy is None:
                    reasons.append(what)
                    outcome = Outcome.DIVERGED
                else:
                    put_state(module, station_state)  # to leave it out would tell that it diverged
                log.warning("%s; %s", what, "its model is left out" if privacy is None else "it sends what it got")
            if outcome is Outcome.RETURNED:
                self._send(module, station_state, global_round, aggregation, part.client)
            seconds = perf_counter() - start
            work.append(ClientWork(part.client, len(samples), part.epochs, outcome, loss, seconds))
            alike = privacy is not None and privacy.at == "station"
            yield (view_state(module), 1 if alike else len(samples)) if outcome is Outcome.RETURNED else None

    def _send(self, module: nn.Module, start: State, global_round: int, aggregation: int, client: int) -> None:
        """Make of a client's model what the base station works with."""
        privacy, bits = self.config.privacy, self.config.client_bits
        path = (global_round, aggregation, self.index, client)
        if privacy is not None and privacy.at == "client":
            clip(module, start, privacy.clipping_norm)
            add_noise(module, privacy, self._secret_of(global_round, aggregation, client))
        if bits is not None:
            quantise(module, start, bits, derive_seed(self.seed, Stream.QUANTISATION, *path))
        if privacy is not None and privacy.at == "station":
            clip(module, start, privacy.clipping_norm)  # of what arrives, which quantisation may have made longer

    def _secret_of(self, global_round: int, aggregation: int, *client: int) -> bytes:
        """What the noise of one thing that is sent follows from."""
        secret = str(self.seed).encode() if self.noise_secret is None else self.noise_secret
        return hmac.digest(secret, repr((global_round, aggregation, self.index, *client)).encode(), "sha256")

    def _started(self, module: nn.Module, start: State, samples: Samples, broadcast: State, client: State) -> State:
        """A client's state once it has received a model, which is judged only for a strategy that asks."""
        if type(self.strategy).start_client is Strategy.start_client:
            return client
        objective = Objective.of(self.config, metric=None)
        loss = evaluate(module, start, samples, self.config.threads, objective).loss
        with asked(self.strategy):
            return tensors_of(self.strategy, "start_client", self.strategy.start_client(broadcast, client, loss))

    def _correction(self, start: State, broadcast: State, client: State) -> State:
        """What is added to the gradients of a client's steps."""
        if type(self.strategy).correction is Strategy.correction:
            return {}
        parameters = {name: start[name] for name in self.model.trained(tied=True)}
        with asked(self.strategy):
            correction = self.strategy.correction(broadcast, client)
            return tensors_of(self.strategy, "correction", correction, parameters, all_of=False)

    def _carry(
        self, module: nn.Module, start: State, broadcast: State, client: State, steps: int, rate: float, samples: int
    ) -> State:
        """What the strategy carries for a client after an edge aggregation."""
        if type(self.strategy).update_client is not Strategy.update_client:
            names, end = self.model.trained(tied=True), view_state(module)
            start, end = ({name: state[name].to(end[name]) for name in names} for state in (start, end))
            with asked(self.strategy):
                after = self.strategy.update_client(broadcast, client, start, end, steps, rate, samples)
                client = tensors_of(self.strategy, "update_client", after)
        return {name: tensor.to("cpu", copy=True) for name, tensor in client.items()}


def _copy_of(module: nn.Module) -> State:
    return {name: tensor.clone() for name, tensor in view_state(module).items()}


def _held(carried: list[State]) -> States:
    return States(carried) if any(carried) else NO_STATES
