"""Strategies: what they compute, what they carry, and that it arrives wherever base stations are played."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
import torch

import fl.training
from fl.store.artefacts import ArtefactStore
from fl.store.files import Files
from fl.training.command.checkpoint import open_run
from fl.training.command.identity import differences, identity_of
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.crews.crew import InProcess
from fl.training.crews.pool import Pool
from fl.training.crews.spread import Spread
from fl.training.data.dataset import Dataset, Samples
from fl.training.errors import ModelError, TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.evaluation import Evaluation, evaluate
from fl.training.model.parameters import State
from fl.training.strategies import SCAFFOLD, FedAdam, FedAvgM, FedYogi, strategy_of
from fl.training.strategy import States, Strategy, pack, unpack
from tests.fl.training.ranks import in_ranks
from tests.fl.training.support import equal, train, train_in

CreateFederation = Callable[..., Federation]
ALL = (
    "FedAvgM(momentum=0.5)", "FedAdam", "FedYogi(learning_rate=0.01)", "SCAFFOLD", f"{__name__}:Counting(step=2)",
    f"{__name__}:QFedAvg(q=1.0)",
)  # fmt: skip


@dataclass(frozen=True)
class Counting(Strategy):
    """Counts at the server, and steps at each client; the models stay what averaging makes of them."""

    step: int = 1

    def broadcast(self, server: State) -> State:
        return server

    def update_client(
        self, broadcast: State, client: State, start: State, end: State, steps: int, learning_rate: float, samples: int
    ) -> State:
        assert start.keys() == end.keys() and not equal(start, end) and learning_rate == 0.05
        return {
            "steps": client.get("steps", torch.zeros(())) + steps,
            "rounds": broadcast.get("rounds", torch.zeros(())),
        }

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        return combined, {"rounds": server.get("rounds", torch.zeros(())) + self.step}


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Callable[..., Federation]:
    def create(strategy: str = "FedAvg", model: str = "linear", **given: Any) -> Federation:
        partition = given.pop("partition", None)
        alpha = 0.3 if partition is None else None
        station = given.pop("station", StationConfig(1, 2, learning_rate=0.05, momentum=0.0))
        config = TrainingConfig(
            targets=("0", "1", "7"), train_images=96, stations=3, clients=2, alpha=alpha, model=model,
            strategy=strategy, contribution="none", station=station,
        )  # fmt: skip
        return build_federation(replace(config, **given), digits, partition)

    return create


# What they compute


def numbers(*values: float) -> State:
    return {"w": torch.tensor(values)}


def test_update_server__fed_avg_m__is_the_papers() -> None:
    moved, velocity = FedAvgM(0.5).update_server(numbers(1.0), numbers(0.8), {}, {})
    assert (float(moved["w"]), float(velocity["w"])) == (pytest.approx(0.8), pytest.approx(0.2))
    moved, velocity = FedAvgM(0.5).update_server(moved, numbers(0.7), velocity, {})
    assert (float(moved["w"]), float(velocity["w"])) == (pytest.approx(0.6), pytest.approx(0.2))


@pytest.mark.parametrize(("strategy", "grows"), [(FedAdam(0.1, 0.9, 0.5, 0.1), 1), (FedYogi(0.1, 0.9, 0.5, 0.1), 0)])
def test_update_server__fed_adam_and_fed_yogi__are_the_papers(strategy: FedAdam, grows: int) -> None:
    weight, first, second, state = 1.0, 0.0, 0.1**2, {}
    for target in (1.5, 1.0, 3.0):
        update = target - weight
        moved, state = strategy.update_server(numbers(weight), numbers(target), state, {})
        first = 0.9 * first + 0.1 * update
        sign = (second > update**2) - (second < update**2)
        second = 0.5 * second + 0.5 * update**2 if grows else second - 0.5 * update**2 * sign
        weight = weight + 0.1 * first / (second**0.5 + 0.1)
        assert float(state["m.w"]) == pytest.approx(first) and float(state["v.w"]) == pytest.approx(second)
        assert float(moved["w"]) == pytest.approx(weight)


def test_scaffold__two_clients__is_the_papers() -> None:
    """Algorithm 1 with option II, worked out by hand."""
    strategy = SCAFFOLD()
    assert strategy.correction({}, {}) == {}
    own = strategy.update_client({}, {}, numbers(1.0), numbers(0.6), steps=2, learning_rate=0.1, samples=9)
    assert float(own["w"]) == pytest.approx(2.0)  # the mean gradient
    moved, control = strategy.update_server(numbers(1.0), numbers(0.6), {}, {(0, 0): own, (0, 1): {}})
    assert float(moved["w"]) == pytest.approx(0.6) and float(control["w"]) == pytest.approx(1.0)
    assert float(strategy.correction(control, own)["w"]) == pytest.approx(-1.0)
    assert float(strategy.correction(control, {})["w"]) == pytest.approx(1.0)
    again = strategy.update_client(control, own, numbers(0.6), numbers(0.5), steps=2, learning_rate=0.1, samples=9)
    assert float(again["w"]) == pytest.approx(2.0 - 1.0 + 0.5)
    assert float(SCAFFOLD(0.5).update_server(numbers(1.0), numbers(0.6), {}, {})[0]["w"]) == pytest.approx(0.8)


def number(input_shape: tuple[int, ...], outputs: int) -> torch.nn.Module:
    """A model whose output is its one parameter, of inputs of 1."""
    return torch.nn.Linear(1, 1, bias=False)


@pytest.mark.parametrize(("strategy", "found"), [("FedAvg", 0.9), ("SCAFFOLD", 0.5)])
def test_train__clients_of_10_and_90_samples__count_by_samples_or_alike(strategy: str, found: float) -> None:
    """One client's numbers are all 0 and the other's 1: the mean of the model's loss is least in between."""
    numbers = Samples(torch.ones(100, 1), (torch.arange(100) >= 10).float()[:, None])
    station = StationConfig(1, 1, batch_size=100, learning_rate=0.05, momentum=0.0, loss="mse_loss")
    config = TrainingConfig(
        model=f"{__name__}:number", stations=1, rounds=80, station=station, metric="within", strategy=strategy,
        contribution="none",
    )  # fmt: skip
    federation = build_federation(config, Dataset("numbers", ("y",), numbers, numbers), [[range(10), range(10, 100)]])
    *_, last = train(federation)
    assert float(last.state["weight"]) == pytest.approx(found, abs=0.01)


def test_station__scaffold_with_recorded_steps__is_refused_before_it_trains(small: Callable[..., Federation]) -> None:
    station = small("FedAvg").stations[0]
    graphs = replace(station.config, graphs=True)
    with pytest.raises(TrainingError, match="SCAFFOLD corrects the clients' steps, which cannot be recorded"):
        replace(station, config=graphs, strategy=SCAFFOLD())
    assert replace(station, config=graphs, strategy=FedAdam()).config.graphs


def test_train__scaffold__corrects_each_step_by_its_control_variates(small: Callable[..., Federation]) -> None:
    """One step of all data: the corrected gradients of a second round are (y − x) / −η."""
    station = StationConfig(1, 1, batch_size=96, learning_rate=0.05, momentum=0.0)
    federation = small("SCAFFOLD", station=station, stations=1, rounds=2, partition=[[range(9), range(9, 96)]])
    first, second = train(federation)
    start, control = first.state, first.carried.server
    own = first.carried.by_client()
    plain = replace(federation, stations=tuple(replace(each, strategy=Strategy()) for each in federation.stations))
    assert plain.stations[0].config.edge_aggregations == 1
    sizes = [len(client) for client in federation.stations[0].clients]
    averaged = plain.stations[0].train_round(start, 1).state
    for name, tensor in second.state.items():
        drift = sum(
            size * (control[name] - own[0, number][name]) for number, size in enumerate(sizes)
        ) / sum(sizes)  # fmt: skip
        torch.testing.assert_close(tensor, averaged[name] - 0.05 * drift, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(second.state["1.weight"], averaged["1.weight"], atol=1e-6)


def test_train__scaffold_on_clients_that_differ__does_better_than_averaging(digits: Dataset) -> None:
    """What it is for (Karimireddy et al. 2020, section 7): many local steps on one label or two each."""
    station = StationConfig(10, 1, learning_rate=0.02, momentum=0.0)
    config = TrainingConfig(
        model="linear", train_images=300, stations=2, clients=5, shards=1, rounds=5, station=station,
        contribution="none",
    )  # fmt: skip
    losses = [
        [*train(build_federation(replace(config, strategy=name), digits))][-1].evaluation.loss
        for name in ("FedAvg", "SCAFFOLD")
    ]
    assert losses[1] < 0.9 * losses[0], losses


# What is carried


@pytest.mark.parametrize("strategy", ALL)
def test_train__any_strategy_over_workers_and_stopped__has_the_same_digests(
    small: Callable[..., Federation], strategy: str, tmp_path: Path
) -> None:
    federation = small(strategy, rounds=3)
    whole = list(train(federation))
    with Pool(federation, 2) as crew:
        for done, expected in zip(train(federation, crew=crew), whole, strict=True):
            assert equal(done.state, expected.state)
            assert equal(done.carried.server, expected.carried.server)
            assert {**done.carried.by_client()}.keys() == expected.carried.by_client().keys()
            assert all(
                equal(state, expected.carried.by_client()[key]) for key, state in done.carried.by_client().items()
            )
    *_, plain = train(small(rounds=3))
    assert equal(plain.state, whole[-1].state) == ("Counting" in strategy)
    train_in(tmp_path / "a", replace(federation, config=replace(federation.config, rounds=2)))
    resumed = train_in(tmp_path / "a", federation)
    assert resumed[-1]["model"] == train_in(tmp_path / "b", federation)[-1]["model"]
    carried = [train_folder(folder, federation) for folder in (tmp_path / "a", tmp_path / "b")]
    assert carried[0] == carried[1]


def train_folder(folder: Path, federation: Federation) -> set[str]:
    """What is stored, by its digest; nothing that is dropped is left behind."""
    with open_run(folder, federation) as run:
        assert run.resumed is not None and run.resumed.carried.server
        stored = {path.name for path in (folder / "models").iterdir()}
        clients = bool(run.resumed.carried.clients)
    assert len(stored) == (6 if clients else 4)
    assert ArtefactStore(Files(folder / "models"))
    return stored


def test_train__clients_that_are_missing__keep_what_is_carried_for_them(small: Callable[..., Federation]) -> None:
    station = StationConfig(2, 1, batch_size=8, learning_rate=0.05, momentum=0.0, client_fraction=0.5)
    federation = small(f"{__name__}:Counting", station=station, clients=4, rounds=4, station_dropout=0.3)
    steps = {(each.index, number): 0 for each in federation.stations for number in range(4)}
    for done in train(federation):
        for played in done.stations:
            for work in (each for edge in played.work for each in edge):
                steps[played.station, work.client] += work.epochs * -(-work.samples // 8)
        carried = {key: int(state["steps"]) if state else 0 for key, state in done.carried.by_client().items()}
        assert carried == {key: steps[key] for key in carried} and max(carried.values()) > 0
        assert float(done.carried.server["rounds"]) == done.global_round + 1
    assert 0 in carried.values() or len({*carried.values()}) > 1


def test_train__on_ranks__carries_the_same(small: Callable[..., Federation]) -> None:
    federation = small("SCAFFOLD", rounds=2)
    *_, expected = train(federation)

    def play(group: Any) -> bool:
        crew = Spread(federation, group, InProcess(federation))
        *_, last = train(federation, crew=crew)
        same = [equal(state, last.carried.by_client()[key]) for key, state in expected.carried.by_client().items()]
        return equal(last.state, expected.state) and all(same) and len(same) == 6

    assert in_ranks(2, play) == [True, True]


def test_states__sent_to_another_process__arrive_by_value() -> None:
    states = States(
        [{"a.b": torch.arange(3.0), "c": torch.tensor(2)}, {}, {"a": torch.ones(2, 2, dtype=torch.bfloat16)}]
    )
    for data in (bytes(ForkingPickler.dumps(states)), pickle.dumps(states)):
        found = pickle.loads(data)
        assert len(found) == 3 and all(equal(one, other) for one, other in zip(found, states, strict=True))
    assert pack(states) == pack(unpack(pack(states)))
    with pytest.raises(ModelError, match="the artefact holds no states"):
        unpack(pack(states[:1]).replace(b'"states\\": 1', b'"states\\": 0'))


# Strategies of one's own


def test_page__its_strategy__runs_as_it_stands(
    small: Callable[..., Federation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(fl.training.__file__).with_name("strategy.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "slow_server.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    federation = small("slow_server:SlowServer(learning_rate=0.25)", rounds=1)
    (slow,), (plain,) = train(federation), train(small(rounds=1))
    for name, start in federation.initial_state().items():
        torch.testing.assert_close(slow.state[name], start + 0.25 * (plain.state[name] - start))


class FedNova(Strategy):
    """Each client's mean step, by its samples, times their mean number (Wang et al. 2020, equation 6), with κ2 = 1."""

    def broadcast(self, server: State) -> State:
        return {"round": server.get("round", torch.zeros(()))}

    def update_client(
        self, broadcast: State, client: State, start: State, end: State, steps: int, learning_rate: float, samples: int
    ) -> State:
        steps_of = {f"step.{name}": (start[name] - end[name]) / steps for name in start}
        return {**broadcast, **steps_of, "steps": torch.tensor(steps), "samples": torch.tensor(samples)}

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        number = server.get("round", torch.zeros(()))
        heard = [state for state in clients.values() if state and state["round"] == number]  # others keep an older one
        total = sum(state["samples"] for state in heard)
        steps = sum(state["steps"] * state["samples"] for state in heard) / total
        moved = {
            name: each - steps * sum(state[f"step.{name}"] * state["samples"] for state in heard) / total
            for name, each in model.items()
        }
        return moved, {"round": number + 1}


@pytest.mark.parametrize(("batch", "same"), [(96, True), (8, False)])
def test_train__fednova__is_averaging_where_all_clients_take_as_many_steps(
    small: Callable[..., Federation], batch: int, same: bool
) -> None:
    """Of clients of 5 to 40 samples, and others in each round."""
    station = StationConfig(2, 1, batch_size=batch, learning_rate=0.05, momentum=0.0, client_fraction=0.5)
    given = {"station": station, "rounds": 3, "clients": 4, "stations": 1}
    cuts = [0, 40, 45, 75, 96]
    partition = [[range(first, end) for first, end in pairwise(cuts)]]
    (*_, averaged), (*_, nova) = (
        train(small(strategy, partition=partition, **given)) for strategy in ("FedAvg", f"{__name__}:FedNova")
    )
    for name, tensor in averaged.state.items():
        assert torch.allclose(nova.state[name], tensor, rtol=1e-4, atol=1e-6) == same


@dataclass(frozen=True)
class QFedAvg(Strategy):
    """The higher a client's loss, the more it counts (Li et al. 2020, Algorithm 2), with κ2 = 1."""

    q: float

    def broadcast(self, server: State) -> State:
        return {"round": server.get("round", torch.zeros(()))}

    def start_client(self, broadcast: State, client: State, loss: float) -> State:
        return {**broadcast, "loss": torch.tensor(loss)}

    def update_client(
        self, broadcast: State, client: State, start: State, end: State, steps: int, learning_rate: float, samples: int
    ) -> State:
        moved = {f"moved.{name}": (start[name] - end[name]) / learning_rate for name in start}
        return {**client, **moved, "learning_rate": torch.tensor(learning_rate)}

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        number = server.get("round", torch.zeros(()))
        heard = [state for state in clients.values() if state and state["round"] == number]
        norms = [sum(state[f"moved.{name}"].square().sum() for name in model) for state in heard]
        shares = sum(
            self.q * state["loss"] ** (self.q - 1) * norm + state["loss"] ** self.q / state["learning_rate"]
            for state, norm in zip(heard, norms, strict=True)
        )
        moved = {
            name: each - sum(state["loss"] ** self.q * state[f"moved.{name}"] for state in heard) / shares
            for name, each in model.items()
        }
        return moved, {"round": number + 1}


@pytest.mark.parametrize(("q", "found"), [(0.0, 1 / 3), (1.0, 1 / (1 + 2 ** (1 / 3)))])
def test_train__q_fedavg_of_three_clients__is_the_fairer_the_larger_q(q: float, found: float) -> None:
    """Two clients' numbers are 0, the third's 1: at x they lose x², x² and (1 − x)², and Σ loss^(q+1) is least."""
    numbers = Samples(torch.ones(30, 1), (torch.arange(30) >= 25).float()[:, None])
    station = StationConfig(1, 1, batch_size=30, learning_rate=0.1, momentum=0.0, loss="mse_loss")
    config = TrainingConfig(
        model=f"{__name__}:number", stations=1, rounds=60, station=station, metric="within",
        strategy=f"{__name__}:QFedAvg(q={q})", contribution="none",
    )  # fmt: skip
    clients = [[range(5), range(5, 25), range(25, 30)]]
    *_, last = train(build_federation(config, Dataset("numbers", ("y",), numbers, numbers), clients))
    assert float(last.state["weight"]) == pytest.approx(found, abs=0.01)


def with_dropout(input_shape: tuple[int, ...], classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(64, classes))


def test_train__strategy_that_asks_for_losses__has_those_of_the_received_model_and_others_cost_none(
    small: Callable[..., Federation], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = StationConfig(1, 1, batch_size=8, learning_rate=0.05, momentum=0.0)
    given: dict[str, Any] = {"station": station, "rounds": 1, "model": f"{__name__}:with_dropout"}
    federation = small(f"{__name__}:QFedAvg(q=1.0)", **given)
    (done,) = train(federation)
    for (index, number), state in done.carried.by_client().items():
        samples = federation.stations[index].clients[number]
        judged = evaluate(federation.workspace(), federation.initial_state(), samples, 1, federation.objective)
        assert float(state["loss"]) == pytest.approx(judged.loss, rel=1e-6)
    judged_by_clients: list[object] = []

    def judge(*asked: Any) -> Evaluation:
        judged_by_clients.append(asked)
        return evaluate(*asked)

    monkeypatch.setattr("fl.training.station.evaluate", judge)
    for strategy in ("FedAvg", "FedAdam", "SCAFFOLD"):
        list(train(small(strategy, **given)))
    assert not judged_by_clients
    list(train(federation))
    assert len(judged_by_clients) == 6, "the counter counts"


class Evenly(Strategy):
    """Each base station counts alike, whatever its samples; the first, if asked, for nothing."""

    def __init__(self, spoiled: bool = False):
        self._factor = float("nan") if spoiled else 1.0

    def combine(self, models: Sequence[State], samples: Sequence[int]) -> State:
        assert len(models) == len(samples) and len({*samples}) > 1
        return {name: self._factor * sum(model[name] for model in models) / len(models) for name in models[0]}


class Halved(Evenly):
    """Gives back a part of the model."""

    def combine(self, models: Sequence[State], samples: Sequence[int]) -> State:
        return {name: tensor for name, tensor in models[0].items() if "bias" in name}


def test_train__strategy_that_combines__is_what_makes_the_global_model(small: Callable[..., Federation]) -> None:
    federation = small(f"{__name__}:Evenly", rounds=2)
    first, last = train(federation)
    for name, tensor in first.state.items():
        torch.testing.assert_close(tensor, torch.stack([update.state[name] for update in first.updates]).mean(0))
    with Pool(federation, 2) as crew:
        *_, spread = train(federation, crew=crew)
    assert equal(spread.state, last.state)

    def play(group: Any) -> bool:
        *_, ours = train(federation, crew=Spread(federation, group, InProcess(federation)))
        return equal(ours.state, last.state)

    assert in_ranks(2, play) == [True, True]


@pytest.mark.parametrize(
    ("strategy", "given", "text"),
    [
        ("Evenly(spoiled=True)", {}, "global round 0: the strategy Evenly makes a model with a parameter that is no"),
        ("Halved", {}, "the strategy Halved: combine leaves .*weight out"),
        ("Evenly", {"rule": Rule("median")}, "Evenly combines models itself, and not by median: leave the rule out"),
    ],
)
def test_train__strategy_that_combines_to_no_model__is_refused(
    small: Callable[..., Federation], strategy: str, given: dict[str, Any], text: str
) -> None:
    with pytest.raises(TrainingError, match=text):
        list(train(small(f"{__name__}:{strategy}", **given)))


class Returning(Strategy):
    """Returns something else where it is asked for tensors by name."""

    def __init__(self, hook: str, what: str):
        def other(_: Strategy, *arguments: Any) -> Any:
            model = arguments[0] if hook == "update_server" else {}
            wrong = {
                "nothing": None,
                "number": {"momentum": 5},
                "name": {"w": torch.zeros(1)},
                "shape": {name: torch.zeros(3, 3, 3) for name in ("1.weight", "1.bias")},
                "some": {name: each for name, each in model.items() if "bias" in name},
                "NaN": {name: each * float("nan") for name, each in model.items()},
            }[what]
            if hook == "update_server":
                return (model, wrong) if what == "number" else wrong if what == "nothing" else (wrong, {})
            return wrong

        self.__class__ = type("Returning", (Strategy,), {hook: other})


@pytest.mark.parametrize(
    ("hook", "what", "text"),
    [
        ("broadcast", "nothing", "broadcast returns NoneType, not tensors by name"),
        ("broadcast", "number", "broadcast gives 'momentum' as int, not tensors by name"),
        ("correction", "name", "correction names 'w', which is no parameter: it is to name 1.weight, 1.bias"),
        ("correction", "shape", r"correction gives 1.weight of shape \[3, 3, 3\], not \["),
        ("start_client", "nothing", "start_client returns NoneType, not tensors by name"),
        ("update_client", "number", "update_client gives 'momentum' as int, not tensors by name"),
        ("update_server", "nothing", "update_server returns two things, the model and the server's state"),
        ("update_server", "number", "update_server gives 'momentum' as int, not tensors by name"),
        ("update_server", "name", "update_server names 'w', which is no parameter"),
        ("update_server", "some", "update_server leaves .*weight out"),
        ("update_server", "shape", r"update_server gives 1.weight of shape \[3, 3, 3\], not \["),
        ("update_server", "NaN", "makes a model with a parameter that is no finite number"),
        ("combine", "nothing", "combine returns NoneType, not tensors by name"),
    ],
)
def test_train__strategy_that_returns_something_else__says_what(
    small: Callable[..., Federation], hook: str, what: str, text: str
) -> None:
    with pytest.raises(TrainingError, match=f"the strategy Returning.*{text}") as caught:
        list(train(small(f"{__name__}:Returning(hook='{hook}', what='{what}')", rounds=1)))
    assert "\n" not in str(caught.value)


class Double(Strategy):
    """Its model is of another type than the run's, and asks for a gradient."""

    def update_server(self, model: State, combined: State, server: State, clients: Any) -> tuple[State, State]:
        return {name: each.double().requires_grad_() for name, each in combined.items()}, {}


def test_train__strategy_that_computes_in_another_type__has_the_models(small: Callable[..., Federation]) -> None:
    (plain,), (double,) = train(small(rounds=1)), train(small(f"{__name__}:Double", rounds=1))
    assert equal(plain.state, double.state) and not any(each.requires_grad for each in double.state.values())


class Refusing(Strategy):
    def check(self, station: StationConfig) -> None:
        raise LookupError("not with these")


class Misspelt(Strategy):
    def server_update(self, model: State, combined: State, server: State, clients: Any) -> tuple[State, State]:
        return model, {}


class Failing(Strategy):
    """Fails when it is asked for something."""

    def __init__(self, hook: str):
        def fail(*_: object) -> Any:
            raise KeyError(hook)

        kind = type("Failing", (Strategy,), {hook: fail})
        self.__class__ = kind  # as if the class had been written with this one method


@pytest.mark.parametrize(
    "hook", ["broadcast", "start_client", "correction", "update_client", "combine", "update_server"]
)
def test_train__strategy_that_fails__says_so_in_one_line(small: Callable[..., Federation], hook: str) -> None:
    with pytest.raises(TrainingError, match=rf"^the strategy Failing fails: KeyError: '{hook}'$"):
        list(train(small(f"{__name__}:Failing(hook='{hook}')", rounds=1)))


# Which can be had


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"strategy": "FedMagic"},
            "unknown strategy 'FedMagic': choose one of FedAvg, .*FedYogi, SCAFFOLD, or give package",
        ),
        ({"strategy": "FedAdam(rate=1)"}, r"the strategy FedAdam\(rate=1\) cannot be made: .*'rate'"),
        ({"strategy": "FedAdam(learning_rate=-1)"}, "FedAdam's learning_rate must be above 0, not -1"),
        ({"strategy": "FedAdam(beta1=1)"}, r"FedAdam's beta1 must be in \[0, 1\), not 1"),
        ({"strategy": "FedYogi(tau=0)"}, "FedYogi's tau must be above 0, not 0"),
        ({"strategy": "FedAvgM(momentum='x')"}, "FedAvgM's momentum must be a number, not 'x'"),
        ({"strategy": "SCAFFOLD(learning_rate=True)"}, "SCAFFOLD's learning_rate must be a number, not True"),
        ({"strategy": f"{__name__}:Refusing"}, "the strategy Refusing fails: LookupError: not with these"),
        (
            {"strategy": f"{__name__}:Misspelt"},
            "Misspelt overrides nothing of Strategy: it has check, .*, update_server",
        ),
        ({"strategy": "os:getcwd"}, "os:getcwd is str, not a fl.training.strategy.Strategy"),
        ({"strategy": "SCAFFOLD", "station": StationConfig()}, "SCAFFOLD's clients take plain steps of SGD: set momen"),
        (
            {"strategy": "SCAFFOLD", "station": StationConfig(momentum=0.0, gradient_clip=1.0)},
            "SCAFFOLD's clients take plain steps .* gradient_clip out",
        ),
    ],
)
def test_build__strategy_that_cannot_be_had__says_what(
    small: Callable[..., Federation], given: dict[str, Any], text: str
) -> None:
    with pytest.raises(TrainingError, match=text):
        small(**given)


def test_identity__of_a_strategy__is_named_where_it_is_another(small: Callable[..., Federation]) -> None:
    assert strategy_of(TrainingConfig(strategy="FedAvgM(momentum=0.3)")) == FedAvgM(0.3)
    assert identity_of(small())["server_momentum"] == 0.0, "as folders say that are older than FedAvgM"
    found = differences(identity_of(small()), identity_of(small("FedAdam")))
    assert found == ["strategy is None there, FedAdam here"]


def test_train__robust_rule_under_a_strategy__combines_before_the_server_steps(
    small: Callable[..., Federation],
) -> None:
    federation = small("FedAvgM(momentum=0.5)", rounds=1, rule=Rule("median"))
    (done,), (plain,) = train(federation), train(small(rounds=1, rule=Rule("median")))
    assert all(torch.allclose(done.state[name], tensor, atol=1e-6) for name, tensor in plain.state.items())
