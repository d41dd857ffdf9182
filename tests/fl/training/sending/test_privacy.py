"""Clients that are hidden: how far each can move what leaves, the noise over it, and the ε that is claimed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import fl.training
from fl.training.accountant import Accountant
from fl.training.client import train_client
from fl.training.command.options import Options, parse
from fl.training.command.run import run
from fl.training.config import Privacy, Rule, StationConfig, TrainingConfig
from fl.training.crews.ranks import ALONE, Group
from fl.training.data.dataset import Dataset
from fl.training.errors import CheckpointError, ModelError, TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.parameters import State, put_state
from fl.training.model.spec import ModelSpec
from fl.training.seeds import Stream, derive_seed
from fl.training.sending.epsilon import epsilon_of
from fl.training.sending.privacy import add_noise, clip
from fl.training.station import Outcome, Station
from fl.training.strategies import SCAFFOLD, FedAdam
from fl.training.strategy import Strategy, carries_for_clients
from tests.fl.training.ranks import in_ranks
from tests.fl.training.support import copy_state, equal, train, train_in, undisturbed, with_station, without_numbers

CreateFederation = Callable[..., Federation]

AT_STATION = Privacy(0.02, 0.1)
AT_CLIENT = Privacy(0.02, 0.1, at="client")
"""Clients of `create_federation` move by about 0.1."""


def distance(one: State, other: State) -> float:
    return math.sqrt(sum(float((one[name].double() - other[name].double()).square().sum()) for name in one))


class Tensors(nn.Module):
    """Of some numbers, half of them frozen."""

    def __init__(self, numbers: list[float]):
        super().__init__()
        self.own = nn.Parameter(torch.tensor(numbers))
        self.frozen = nn.Parameter(torch.tensor(numbers), requires_grad=False)


# Clipping and noise


@given(
    numbers=st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20),
    norm=st.floats(0.01, 100),
    origin=st.floats(-9, 9),
)
def test_clip__any_move__has_the_norm_at_most_and_its_direction(
    numbers: list[float], norm: float, origin: float
) -> None:
    module = Tensors(numbers)
    start = {name: torch.full_like(tensor, origin) for name, tensor in module.state_dict().items()}
    start["frozen"] = module.frozen.detach().clone()
    before = copy_state(module)
    length = distance(before, start)
    clip(module, start, norm)
    after = copy_state(module)
    assert torch.equal(after["frozen"], before["frozen"])
    if length <= norm:
        assert equal(after, before)
    else:
        rounding = 1e-6 * (abs(origin) + norm) * math.sqrt(len(numbers))
        assert distance(after, start) == pytest.approx(norm, abs=rounding)
        expected = start["own"] + (before["own"] - start["own"]) * (norm / length)
        assert (after["own"] - expected).abs().max() <= 2 * rounding


@pytest.mark.parametrize("terms", [1, 5])
def test_add_noise__of_a_secret__has_the_deviation_and_is_drawn_again(terms: int) -> None:
    privacy = Privacy(clipping_norm=3.0, noise_multiplier=0.5)
    modules = [Tensors([7.0] * 40_001) for _ in range(3)]
    for module, secret in zip(modules, (b"1", b"1", b"2"), strict=True):
        add_noise(module, privacy, secret, terms)
    noise = (modules[0].own.detach() - 7.0).double() * terms / 1.5
    assert float(noise.std()) == pytest.approx(1, rel=0.02)
    assert float(noise.pow(4).mean()) == pytest.approx(3, rel=0.1), "of the tails"
    assert abs(float(noise.mean())) < 5 / 200
    assert torch.equal(modules[0].own, modules[1].own) and not torch.equal(modules[0].own, modules[2].own)
    assert (modules[0].frozen == 7.0).all()


@pytest.mark.parametrize("at", [0, 39_999])
@pytest.mark.parametrize(("by", "privacy", "terms"), [(1e-5, 1.0, 1), (0.0, 2.0, 1), (0.0, 1.0, 2)])
def test_add_noise__over_anything_else__is_another(at: int, by: float, privacy: float, terms: int) -> None:
    """Under one secret: the same noise twice, were it scaled, would fall out of a difference."""
    noises = []
    for more, multiplier, parts in ((0.0, 1.0, 1), (by, privacy, terms)):
        numbers = [1.0] * 40_000
        numbers[at] += more
        module = Tensors(numbers)
        add_noise(module, Privacy(1.0, multiplier), b"1", parts)
        noises.append((module.own.detach() - torch.tensor(numbers)).double())
    assert abs(float(torch.corrcoef(torch.stack(noises))[0, 1])) < 5 / 200


def test_add_noise__of_secrets_alike_in_32_bits__is_not_alike() -> None:
    """A generator that begins from few bits is one of few, and whoever reads an update can try them all."""
    modules = [Tensors([0.0] * 9) for _ in range(3)]
    for module, secret in zip(modules, (5, 5 + 2**32, 5 + 2**64), strict=True):
        add_noise(module, Privacy(1.0, 1.0), secret.to_bytes(32))
    assert len({tuple(module.own.tolist()) for module in modules}) == 3


class Over:
    """`add_noise` that adds none, and keeps what it would have been over, and from which secret."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.states: list[State] = []
        self.secrets: list[bytes] = []
        patch.setattr("fl.training.station.add_noise", self)

    def __call__(self, module: nn.Module, privacy: Privacy, secret: bytes, terms: int = 1) -> None:
        self.states.append(copy_state(module))
        self.secrets.append(secret)


# A base station's round


def alone(federation: Federation, **changes: Any) -> Station:
    """The first base station, with other settings."""
    station = federation.stations[0]
    return replace(station, config=replace(station.config, **changes))


def test_play__noise_at_the_base_station__is_that_over_the_mean_of_clipped_updates(
    create_federation: CreateFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = create_federation(clients=3, alpha=1.0)
    station, start = alone(federation, privacy=AT_STATION), federation.initial_state()
    module = federation.workspace()
    clipped = []
    for number, images in enumerate(station.clients):
        put_state(module, start)
        train_client(module, images, station.config, derive_seed(station.seed, Stream.CLIENT, 4, 0, 0, number))
        assert distance(copy_state(module), start) > 0.04  # or clipping would not show
        clip(module, start, 0.02)
        clipped.append(copy_state(module))
    mean = {name: sum(state[name].double() for state in clipped) / 3 for name in start}
    played = station.play(start, 4)
    assert played.update is not None
    over = Over(monkeypatch)
    station.play(start, 4)
    ((before,), (secret,)) = over.states, over.secrets
    assert distance(before, mean) < 1e-5
    put_state(module, before)
    add_noise(module, AT_STATION, secret, terms=3)
    assert equal(played.update.state, copy_state(module))
    parameters = sum(tensor.numel() for tensor in start.values())
    assert distance(played.update.state, mean) == pytest.approx(0.1 * 0.02 / 3 * math.sqrt(parameters), rel=0.02)


@pytest.mark.parametrize(("privacy", "bits"), [(AT_STATION, None), (AT_STATION, 3), (AT_CLIENT, None)])
def test_play__one_client_of_another_kind__moves_the_update_by_its_share_and_no_more(
    create_federation: CreateFederation, privacy: Privacy, bits: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before there is noise over it; also where that client diverges, which nobody is to see."""
    Over(monkeypatch)
    federation = create_federation(clients=4)
    station, start = alone(federation, privacy=privacy, client_bits=bits), federation.initial_state()
    other = federation.stations[1].clients[0]
    changed = replace(station, clients=(*station.clients[:3], replace(other, labels=(other.labels + 1) % 3)))
    plain = station.train_round(start, 0)
    for each, norms in ((changed, 2), (without_numbers(station, (3,)), 1)):
        played = each.play(start, 0)
        assert played.update is not None and not played.diverged
        assert {work.outcome for work in played.work[0]} == {Outcome.RETURNED}
        assert played.update.samples == plain.samples == 40
        assert 0 < distance(played.update.state, plain.state) <= 1.001 * norms * privacy.clipping_norm / 4


def test_play__noise_secret_of_its_own__is_not_that_of_the_run(create_federation: CreateFederation) -> None:
    federation = create_federation()
    start = federation.initial_state()
    for privacy in (AT_STATION, AT_CLIENT):
        station = alone(federation, privacy=privacy)
        states = [replace(station, noise_secret=each).train_round(start, 0).state for each in (None, b"5", b"5", b"6")]
        assert equal(states[1], states[2])
        assert not any(equal(states[one], states[other]) for one, other in ((0, 1), (0, 3), (1, 3)))


def test_play__every_release__has_noise_of_its_own(create_federation: CreateFederation) -> None:
    """The same noise twice would fall out of a difference, and that of few seeds would be found by trying them all."""
    federation = create_federation(clients=2, edge_aggregations=2)
    with pytest.MonkeyPatch.context() as patch:
        over = Over(patch)
        for privacy in (AT_STATION, AT_CLIENT):
            for index in (0, 1):
                for global_round in (0, 1):
                    replace(alone(federation, privacy=privacy), index=index).play(
                        federation.initial_state(), global_round
                    )
    assert len(over.secrets) == len(set(over.secrets)) == 2 * 2 * 2 * (1 + 2)


# ε


OPACUS = {
    (1, 1, 1e-5): 4.3874,
    (1, 10, 1e-5): 17.8673,
    (2, 100, 1e-6): 35.5774,
    (5, 40, 1e-5): 5.7698,
    (10, 1, 1e-3): 0.2076,
}
"""By z, k and δ: ε of Opacus 1.6.0's PRVAccountant, which is at most 0.01 more than it need be."""


@pytest.mark.parametrize(("setting", "epsilon"), OPACUS.items())
def test_epsilon__of_gaussian_mechanisms__is_just_below_opacus_bound(
    setting: tuple[float, int, float], epsilon: float
) -> None:
    assert epsilon - 0.012 < epsilon_of(*setting) <= epsilon


@pytest.mark.parametrize(("multiplier", "releases", "delta"), [(0.7, 1, 1e-5), (3.0, 25, 1e-3), (40.0, 9, 1e-6)])
def test_epsilon__put_into_the_definition__leaves_delta(multiplier: float, releases: int, delta: float) -> None:
    """δ is what N(μ, 1) has above e^ε N(0, 1), summed up on a fine grid."""
    epsilon, mu = epsilon_of(multiplier, releases, delta), math.sqrt(releases) / multiplier
    points, step = np.linspace(-40, 40, 2_000_001, retstep=True)
    above = np.exp(-((points - mu) ** 2) / 2) - np.exp(epsilon - points**2 / 2)
    assert np.maximum(above, 0).sum() * step / math.sqrt(2 * math.pi) == pytest.approx(delta, rel=1e-3)


def test_page__multiplier_for_a_target__is_what_it_says() -> None:
    page = Path(fl.training.__file__).with_name("sending.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    known: dict[str, Any] = {}
    exec(code, known)
    assert code.endswith(f"# for ε = 8: {known['multiplier']:.2f}\n")
    assert epsilon_of(known["multiplier"], 8, 1e-5) == pytest.approx(8, rel=1e-5)
    rows = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| [\d.]+ % \|$", page, re.MULTILINE)
    assert [(z, f"{epsilon_of(float(z), 4 * 2, 1e-5):.1f}") for z, _ in rows] == rows and len(rows) == 3


def test_epsilon__more_releases_or_less_noise__is_larger() -> None:
    assert epsilon_of(1.0, 0, 1e-5) == 0
    found = [
        epsilon_of(multiplier, releases, 1e-5)
        for multiplier, releases in ((2, 1), (2, 2), (1, 2), (1, 2000), (1e-3, 2000))
    ]
    assert found == sorted(found) and all(map(math.isfinite, found))
    assert epsilon_of(1e9, 1, 1e-5) < 1e-5


def test_accountant__clients_that_are_drawn_and_fail__counts_those_that_returned(digits: Dataset) -> None:
    station = StationConfig(
        1,
        3,
        client_fraction=0.6,
        client_dropout=0.3,
        stragglers=0.3,
        drop_stragglers=True,
        privacy=replace(AT_CLIENT, delta=1e-3),
    )
    config = TrainingConfig(
        train_images=60, stations=3, clients=5, rounds=3, station=station, station_dropout=0.3, contribution="none"
    )
    federation = build_federation(config, digits)
    heard = {index: [0] * 5 for index in range(3)}
    accountant = Accountant(federation.stations, 0.3)
    for done in train(federation):
        for played in done.stations:
            for work in (each for edge in played.work for each in edge):
                heard[played.station][work.client] += work.outcome is Outcome.RETURNED
        expected = {index: epsilon_of(0.1, max(counts), 1e-3) for index, counts in heard.items()}
        assert accountant.after(done.global_round) == expected
    assert len({max(counts) for counts in heard.values()}) > 1
    assert Accountant(federation.stations, 0.3).after(2) == expected


# Runs


def records(federation: Federation, group: Group = ALONE, **options: Any) -> list[dict[str, Any]]:
    return undisturbed([dict(each) for each in run(federation, Options(federation.config, **options), group=group)])


def test_run__private__has_the_same_digests_and_epsilon_by_workers_ranks_and_after_a_stop(
    create_federation: CreateFederation, tmp_path: Path
) -> None:
    federation = with_station(create_federation(), privacy=AT_STATION, client_bits=8)
    stations = (alone(federation, privacy=AT_CLIENT), *federation.stations[1:])
    federation = replace(federation, stations=stations)
    expected = records(federation)
    assert [record["epsilon"]["2"] for record in expected] == [epsilon_of(0.1, count, 1e-5) for count in (1, 2)]
    assert records(federation, workers=2) == expected
    assert in_ranks(2, lambda group: records(federation, group)) == [expected] * 2
    next(iter(run(federation, Options(federation.config, tmp_path / "run"))))
    assert undisturbed(train_in(tmp_path / "run", federation)) == expected


def test_run__begun_before_there_was_privacy__goes_on_without_and_not_with_it(
    create_federation: CreateFederation, tmp_path: Path
) -> None:
    federation = create_federation(train_images=30)
    expected = records(federation)
    next(iter(run(federation, Options(federation.config, tmp_path))))
    document = json.loads((tmp_path / "checkpoint.json").read_text())
    assert not {f"station.{name}" for name in ("privacy", "client_bits", "station_bits")} & document["run"].keys()
    with pytest.raises(CheckpointError, match=r"holds another run: station\.privacy is None there, .*0\.02"):
        train_in(tmp_path, with_station(federation, privacy=AT_STATION))
    assert undisturbed(train_in(tmp_path, federation)) == expected


def test_run__not_private__has_no_epsilon(create_federation: CreateFederation) -> None:
    assert all("epsilon" not in record for record in records(create_federation()))


def test_run__little_noise_over_many_clients__still_learns(create_federation: CreateFederation) -> None:
    plain = create_federation(clients=8, stations=2, local_epochs=2, learning_rate=0.1, rounds=3)
    private = with_station(plain, privacy=Privacy(2.0, 0.02))
    full, hidden = (records(each)[-1] for each in (plain, private))
    assert full["model"] != hidden["model"] and hidden["accuracy"] > 0.9


def test_parse__options_of_privacy__are_those_of_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    given = parse(["--clipping-norm", "2", "--noise-multiplier", "0.5", "--noise-at", "client", "--delta", "0.001"])
    assert given.config.station is not None and given.config.station.privacy == Privacy(2, 0.5, "client", 0.001)
    for arguments, text in (
        (["--clipping-norm", "1"], "--clipping-norm goes with --noise-multiplier"),
        (["--delta", "0.1"], "--delta goes with --clipping-norm and --noise-multiplier"),
    ):
        with pytest.raises(SystemExit):
            parse(arguments)
        assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Privacy(0.0, 1.0), "clipping_norm must be above 0"),
        (lambda: Privacy(1.0, -1.0), "noise_multiplier must be above 0"),
        (lambda: Privacy(1.0, float("inf")), "noise_multiplier must be above 0"),
        (lambda: Privacy(1.0, 1.0, at="cloud"), "noise is added at one of station, client, not 'cloud'"),
        (lambda: Privacy(1.0, 1.0, delta=1.0), r"delta must be in \(0, 1\), not 1.0"),
        (
            lambda: StationConfig(rule=Rule("median"), privacy=AT_STATION),
            "noise at the base station hides a client in a mean, not in a median",
        ),
        (lambda: StationConfig(privacy=1), "privacy must be a Privacy, not 1"),  # type: ignore[arg-type]
    ],
)
def test_privacy__out_of_bounds__is_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        make()
    assert StationConfig(rule=Rule("median"), privacy=AT_CLIENT).privacy is AT_CLIENT


def normalised(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """With statistics of batches."""
    pixels = math.prod(image_shape)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(pixels), nn.Linear(pixels, classes))


class Remembering(Strategy):
    """Carries the losses of clients, and nothing else."""

    def start_client(self, broadcast: State, client: State, loss: float) -> State:
        return {"loss": torch.tensor(loss)}


def test_station__strategy_that_carries_something_for_clients__cannot_hide_them(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation()
    for strategy in (SCAFFOLD(), Remembering()):
        what = f"no noise hides what {type(strategy).__name__} carries for clients"
        with pytest.raises(TrainingError, match=what):
            replace(alone(federation, privacy=AT_STATION), strategy=strategy)
        assert carries_for_clients(strategy), "which streams ask too"
    assert replace(alone(federation, privacy=AT_STATION), strategy=FedAdam()).config.privacy is AT_STATION


def test_station__model_with_statistics__cannot_be_hidden(create_federation: CreateFederation) -> None:
    federation = create_federation()
    spec = ModelSpec(f"{__name__}:normalised", (1, 8, 8), 3)
    with pytest.raises(
        ModelError, match=r"sends 1.num_batches_tracked, which is no parameter, so that no noise hides it"
    ):
        replace(alone(federation, privacy=AT_STATION), model=spec)
    assert replace(alone(federation), model=spec).model == spec
