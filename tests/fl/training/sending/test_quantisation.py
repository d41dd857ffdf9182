"""Quantised updates: right on average, of few bits, the same everywhere, and counted."""

from __future__ import annotations

import math
import re
import shlex
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
from fl.training.command.options import Options, parse
from fl.training.command.run import run
from fl.training.config import StationConfig
from fl.training.crews.ranks import ALONE, Group
from fl.training.errors import TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.parameters import size_of
from fl.training.model.spec import ModelSpec
from fl.training.sending.quantisation import arriving, quantise, update_bytes
from tests.fl.training.ranks import in_ranks
from tests.fl.training.support import copy_state, equal, train_in, undisturbed, with_station

CreateFederation = Callable[..., Federation]


def randomness(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_arriving__on_average__is_what_was_sent(bits: int) -> None:
    """Rounding to the nearest would be off by up to half a level, whatever is averaged."""
    start, moved = torch.linspace(-5, 5, 40), torch.linspace(-0.3, 0.4, 40)
    times = 2000
    random = randomness()
    mean = sum(arriving(start + moved, start, bits, random).double() for _ in range(times)) / times
    level = 0.4 / (2 ** (bits - 1) - 1)
    assert (mean - (start + moved)).abs().max() < 5 * level / 2 / math.sqrt(times) + 1e-6


@given(
    bits=st.integers(2, 16),
    moved=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=30),
    origin=st.floats(-10, 10, width=32),
    seed=st.integers(0, 2**31),
)
def test_arriving__any_update__is_within_a_level_and_fits_its_bits(
    bits: int, moved: list[float], origin: float, seed: int
) -> None:
    start = torch.full((len(moved),), origin, dtype=torch.float64)
    sent = start + torch.tensor(moved, dtype=torch.float64)
    arrived = arriving(sent, start, bits, randomness(seed))
    most = 2 ** (bits - 1) - 1
    level = float((sent - start).abs().max()) / most
    assert ((arrived - sent).abs() <= level * (1 + 1e-9)).all()
    if level > 1e-300:
        codes = (arrived - start) / level
        assert (codes - codes.round()).abs().max() < 1e-6 * most
        assert codes.round().abs().max() <= most < 2 ** (bits - 1)


def test_arriving__nothing_moved_or_as_far_as_any__arrives_as_it_is() -> None:
    start = torch.tensor([0.1, -7.0, 3.0])
    assert torch.equal(arriving(start, start, 2, randomness()), start)
    moved = start + torch.tensor([0.5, 0.0, -0.5])
    for seed in range(50):
        assert torch.equal(arriving(moved, start, 8, randomness(seed)), moved)
    assert arriving(torch.empty(0, 3), torch.empty(0, 3), 4, randomness()).shape == (0, 3)


def tied(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """One layer in two places, and statistics that are no parameters."""
    pixels = math.prod(image_shape)
    layer = nn.Linear(pixels, pixels)
    return nn.Sequential(nn.Flatten(), layer, nn.BatchNorm1d(pixels), layer, nn.Linear(pixels, classes))


def test_quantise__tied_weights_and_statistics__stay_tied_and_as_they_are() -> None:
    spec = ModelSpec(f"{__name__}:tied", (1, 4, 4), 3)
    module = spec.build(seed=1)
    start = copy_state(spec.build(seed=2))
    before = copy_state(module)
    quantise(module, start, 4, seed=0)
    after = module.state_dict()
    assert torch.equal(after["1.weight"], after["3.weight"]) and not torch.equal(after["1.weight"], before["1.weight"])
    assert all(torch.equal(after[name], before[name]) for name in before if name.startswith("2.running"))
    again = spec.build(seed=1)
    quantise(again, start, 4, seed=0)
    assert equal(copy_state(again), copy_state(module))
    other = spec.build(seed=1)
    quantise(other, start, 4, seed=1)
    assert not equal(copy_state(other), copy_state(module))


def test_update_bytes__of_a_model__are_those_of_its_packed_parameters() -> None:
    spec = ModelSpec(f"{__name__}:tied", (1, 4, 4), 3)
    state = spec.initial_state(0)
    assert update_bytes(spec, None) == size_of(state)
    parameters = [state[name] for name in ("1.weight", "1.bias", "2.weight", "2.bias", "4.weight", "4.bias")]
    statistics = [state[f"2.{name}"] for name in ("running_mean", "running_var", "num_batches_tracked")]
    for bits in (2, 5, 16):
        packed = [len(np.packbits(np.zeros(each.numel() * bits, dtype=bool))) for each in parameters]
        assert update_bytes(spec, bits) == sum(packed) + 4 * 6 + sum(each.nbytes for each in statistics)


SETTINGS = {"client_bits": 6, "station_bits": 8, "edge_aggregations": 2}


def records(federation: Federation, group: Group = ALONE, **options: Any) -> list[dict[str, Any]]:
    return undisturbed(
        [
            dict(each)
            for each in run(federation, Options(federation.config, **options), **({"group": group} if group else {}))
        ]
    )


def test_run__quantised__has_the_same_digests_by_workers_ranks_and_after_a_stop(
    create_federation: CreateFederation, tmp_path: Path
) -> None:
    federation = with_station(create_federation(), **SETTINGS)
    expected = records(federation)
    assert records(federation, workers=2) == expected
    assert in_ranks(2, lambda group: records(federation, group)) == [expected] * 2
    first = next(iter(run(federation, Options(federation.config, tmp_path / "run"))))
    assert undisturbed([dict(first)]) == expected[:1]
    assert undisturbed(train_in(tmp_path / "run", federation)) == expected


def test_page__what_quantised_updates_save__is_what_its_command_gives() -> None:
    """In megabytes and simulated seconds, which no training changes; here of a single global round."""
    page = Path(fl.training.__file__).with_name("sending.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"python -m fl\.training (--shards 2 .*?) --client-bits", page, re.DOTALL)
    quick = ["--rounds", "1", "--batch-size", "100", "--contribution", "none"]
    plain = parse([*shlex.split(command.replace("\\\n", " ")), *quick])
    federation = build_federation(plain.config)
    rows = re.findall(r"^\| (none|\d, \d) \| [\d.]+ % \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for bits, *expected in rows:
        client, station = (None, None) if bits == "none" else map(int, bits.split(", "))
        (record,) = run(with_station(federation, client_bits=client, station_bits=station), plain)
        tiers = record["traffic"].values()
        megabytes = sum(tier["down_bytes"] + tier["up_bytes"] for tier in tiers) / 1e6
        assert [f"{megabytes:.1f}", f"{record['simulated_seconds']:.2f}"] == expected


@pytest.mark.parametrize("setting", ["client_bits", "station_bits"])
def test_run__quantised__learns_about_as_much_from_another_model(
    create_federation: CreateFederation, setting: str
) -> None:
    plain = create_federation(local_epochs=2)
    full, quantised = records(plain), records(with_station(plain, **{setting: 8}))
    assert full[-1]["model"] != quantised[-1]["model"]
    assert quantised[-1]["accuracy"] == pytest.approx(full[-1]["accuracy"], abs=0.03)


def test_station__each_edge_aggregation_and_client__draws_anew(create_federation: CreateFederation) -> None:
    """With seeds in common the errors would add up instead of cancelling each other."""
    federation = create_federation(clients=2)
    twins = replace(federation.stations[0], clients=(federation.stations[0].clients[0],) * 2)
    seeds: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fl.training.station.quantise", lambda module, start, bits, seed: seeds.append(seed))
        station = replace(twins, config=replace(twins.config, **SETTINGS))
        for global_round in (0, 1):
            station.play(federation.initial_state(), global_round)
            replace(station, index=1).play(federation.initial_state(), global_round)
    assert len(seeds) == 2 * 2 * (2 * 2 + 1) == len(set(seeds))


def test_run__quantised__sends_up_fewer_bytes_in_less_simulated_time(create_federation: CreateFederation) -> None:
    plain = create_federation(edge_aggregations=2, rounds=1)
    links = {"client_link": (1.0, 0.0), "cloud_link": (2.0, 0.0), "seconds_per_image": 0.0}
    (full,), (quantised,) = (records(each, **links) for each in (plain, with_station(plain, **SETTINGS)))
    size, client, station = (update_bytes(plain.model, bits) for bits in (None, 6, 8))
    assert client < size / 5 and station < size / 3.9
    clients, cloud = quantised["traffic"]["clients"], quantised["traffic"]["cloud"]
    assert (clients["up_bytes"], cloud["up_bytes"]) == (12 * client, 3 * station)
    assert (clients["down_bytes"], cloud["down_bytes"]) == (12 * size, 3 * size)
    assert full["simulated_seconds"] == pytest.approx(8 * (2 * size / 2e6 + 2 * 2 * size / 1e6))
    expected = 8 * ((size + station) / 2e6 + 2 * (size + client) / 1e6)
    assert quantised["simulated_seconds"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bits", "text"), [(1, "at least 2, not 1"), (17, "at most 16, not 17"), (2.5, "a whole number")]
)
def test_config__bits_out_of_bounds__are_refused(bits: Any, text: str) -> None:
    for name in ("client_bits", "station_bits"):
        with pytest.raises(TrainingError, match=f"{name} must be {text}"):
            StationConfig(**{name: bits})
