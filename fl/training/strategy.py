"""What a federated algorithm adds to hierarchical averaging: `Strategy`, which those of one's own extend.

A strategy is settings and pure functions. What it learns lies in states, tensors by name that it is given and returns:
one of the server, and one of each client, which the run carries from one global round to the next, to worker processes
and ranks, and into checkpoints. So a run has the same digests wherever its base stations are played and however often
it is stopped. `fl.training.strategies` has those that can be named without a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fl.training.config import StationConfig
from fl.training.errors import ModelError, TrainingError
from fl.training.model.artefact import load_metadata, load_state, save_state, whole_number
from fl.training.model.parameters import State
from fl.training.named import said


class Strategy:
    """Federated averaging; another strategy overrides what it changes.

    All tensors that it sees are of parameters, by their names; what else a model holds, such as a batch normalisation's
    statistics, is averaged whatever the strategy. A state begins as {}.
    """

    def check(self, station: StationConfig) -> None:
        """Refuse settings of a base station that the strategy does not go with.

        Raises:
            TrainingError: they are such.
        """

    def broadcast(self, server: State) -> State:
        """What of the server's state goes to the clients with the global model."""
        return {}

    def correction(self, broadcast: State, client: State) -> State:
        """What is added to the gradient of each of a client's steps in an edge aggregation, by parameter; {}: nothing.

        Args:
            broadcast: what the server sent.
            client: the client's state.
        """
        return {}

    def update_client(
        self, broadcast: State, client: State, start: State, end: State, steps: int, learning_rate: float
    ) -> State:
        """A client's state after an edge aggregation; one that does not return keeps the one that it had.

        Args:
            broadcast: what the server sent.
            client: its state before.
            start: the model that it received.
            end: its model; later steps change these tensors.
            steps: that it took.
            learning_rate: of these steps.
        """
        return {}

    def combine(self, models: Sequence[State], samples: Sequence[int]) -> State:
        """The base stations' models as one, where the strategy does so itself instead of by the run's rule.

        Args:
            models: whole ones, of finite numbers, by base station; at least one.
            samples: that each was trained on.
        """
        raise NotImplementedError

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        """The server's step: the next global model, and the server's state after it.

        Args:
            model: the global model before.
            combined: the base stations' models, combined by the run's rule or by `combine`.
            server: its state before.
            clients: state of each client, by base station and number there, of the base stations that have trained.
        """
        return combined, {}


@contextmanager
def asked(strategy: Strategy) -> Iterator[None]:
    """What a strategy raises, which may be anybody's, as one line.

    Raises:
        TrainingError: it raised something.
    """
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        raise TrainingError(f"the strategy {type(strategy).__name__} fails: {said(error)}") from error


class States(tuple[State, ...]):
    """Some states, which go to another process by value."""

    def __reduce__(self) -> tuple[Callable[[bytes], States], tuple[bytes]]:
        return unpack, (pack(self),)


NO_STATES = States()
"""Where nothing is carried."""


def pack(states: tuple[State, ...], **fields: object) -> bytes:
    """States as an artefact; the same bytes in every process."""
    tensors = {f"{number}.{name}": tensor for number, state in enumerate(states) for name, tensor in state.items()}
    return save_state(tensors, {"states": len(states), **fields})


def unpack(data: bytes) -> States:
    """The states of an artefact.

    Raises:
        ModelError: it holds none.
    """
    try:
        states: list[State] = [{} for _ in range(whole_number(load_metadata(data)["states"]))]
        for name, tensor in load_state(data).items():
            number, _, name = name.partition(".")
            states[int(number)][name] = tensor
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(f"the artefact holds no states: {error}") from error
    return States(states)


@dataclass(frozen=True, eq=False)
class Carried:
    """What a strategy carries from one global round to the next.

    Attributes:
        server: the server's state.
        clients: state of each client of a base station that has trained, by its index.
    """

    server: State = field(default_factory=dict)
    clients: Mapping[int, States] = field(default_factory=dict)

    def by_client(self) -> dict[tuple[int, int], State]:
        """The clients' states by base station and number there, in that order."""
        return {
            (station, number): state
            for station in sorted(self.clients)
            for number, state in enumerate(self.clients[station])
        }


NOTHING = Carried()
"""At the start, and where the strategy carries nothing."""
