"""What a federated algorithm adds to hierarchical averaging: `Strategy`, which those of one's own extend.

A strategy is settings and pure functions. What it learns lies in states, tensors by name that it is given and returns:
one of the server, and one of each client, which the run carries from one global round to the next, to worker processes
and ranks, and into checkpoints. So a run has the same digests wherever its base stations are played and however often
it is stopped. `fl.training.strategies` has those that can be named without a path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch

from fl.training.average import cast
from fl.training.config import StationConfig
from fl.training.errors import ModelError, TrainingError
from fl.training.model.artefact import load_metadata, load_state, save_state, whole_number
from fl.training.model.parameters import State
from fl.training.named import asking


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

    def start_client(self, broadcast: State, client: State, loss: float) -> State:
        """A client's state as it receives a model; what it has at the end of the edge aggregation follows from this.

        A strategy that overrides this has each client judge the model that it receives, one more pass over its samples.

        Args:
            broadcast: what the server sent.
            client: its state before.
            loss: mean loss of the model that it received on its samples, without augmentation and transform.
        """
        return client

    def correction(self, broadcast: State, client: State) -> State:
        """What is added to the gradient of each of a client's steps in an edge aggregation, by parameter; {}: nothing.

        Args:
            broadcast: what the server sent.
            client: the client's state.
        """
        return {}

    def update_client(
        self, broadcast: State, client: State, start: State, end: State, steps: int, learning_rate: float, samples: int
    ) -> State:
        """A client's state after an edge aggregation; one that does not return keeps the one that it had.

        Args:
            broadcast: what the server sent.
            client: its state before, as of `start_client`.
            start: the model that it received.
            end: its model; later steps change these tensors.
            steps: that it took.
            learning_rate: of these steps.
            samples: that the client has.
        """
        return client

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


def carries_for_clients(strategy: Strategy) -> bool:
    """Whether it has a state of each client."""
    methods = ("start_client", "update_client")
    return any(getattr(type(strategy), each) is not getattr(Strategy, each) for each in methods)


def asked(strategy: Strategy) -> AbstractContextManager[None]:
    """What a strategy raises, which may be anybody's, as one line."""
    return asking(f"the strategy {type(strategy).__name__} fails")


def tensors_of(
    strategy: Strategy, method: str, given: State, like: State | None = None, *, all_of: bool = True
) -> State:
    """What a strategy's method returned, as tensors without a gradient, and those of parameters in their types.

    Args:
        strategy: whose.
        method: its name.
        given: what it returned.
        like: tensors whose names and shapes it must have; None: any.
        all_of: whether it must name all of them.

    Raises:
        TrainingError: it is something else.
    """
    where = f"the strategy {type(strategy).__name__}: {method}"
    if not isinstance(given, Mapping):
        raise TrainingError(f"{where} returns {type(given).__name__}, not tensors by name")
    for name, tensor in given.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise TrainingError(f"{where} gives {name!r} as {type(tensor).__name__}, not tensors by name")
        if like is not None and name not in like:
            raise TrainingError(f"{where} names {name!r}, which is no parameter: it is to name {', '.join(like)}")
        if like is not None and tensor.shape != like[name].shape:
            raise TrainingError(f"{where} gives {name} of shape {list(tensor.shape)}, not {list(like[name].shape)}")
    if like is not None and all_of and (missing := [name for name in like if name not in given]):
        raise TrainingError(f"{where} leaves {', '.join(missing)} out")
    tensors = {name: tensor.detach() for name, tensor in given.items()}
    if like is None:
        return tensors
    return {name: cast(each, like[name].dtype).to(like[name].device) for name, each in tensors.items()}


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
