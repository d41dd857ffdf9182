"""Which run it is: what two processes must have in common to train one."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from fl.training.config import StationConfig, TrainingConfig
from fl.training.crews.ranks import Group
from fl.training.data.dataset import digest_of
from fl.training.errors import TrainingError
from fl.training.federation import Federation
from fl.training.model.runtime import reproducible, use_threads
from fl.training.model.spec import ModelSpec
from fl.training.network import Links


def identity_of(federation: Federation, links: Links | None = None) -> dict[str, Any]:
    """What two processes must have in common to train one run, as JSON holds it.

    The number of rounds is not in it, so that a run can be prolonged; nor is where the data lie, but what they are.
    The links change no model, but the simulated seconds of the metrics file are of one clock.
    """
    config = asdict(federation.config)
    for name in ("rounds", "data_dir", "model", "station", "per_station", "device"):
        del config[name]
    each = [{**asdict(station.config), "seed": station.seed} for station in federation.stations]
    station = {f"station.{name}": _alike([settings[name] for settings in each]) for name in each[0]}
    test = federation.dataset.test
    model = _model_of(federation.model, test.inputs)
    clock = {} if links is None else _clock_of(links)
    found = {**config, **station, **_data_of(federation), **model, **clock, "device": federation.device.type}
    found["server_momentum"] = 0.0  # as folders say that are older than the strategy FedAvgM
    del found[_GRAPHS]
    return {name: value for name, value in found.items() if name not in _LATER or value != _LATER[name]}


_GRAPHS = "station.graphs"
"""Whether steps are recorded, which changes no bit of a run; folders of before name it."""

_LATER = {
    **{name: getattr(TrainingConfig(), name) for name in ("partition", "patience", "metric", "strategy")},
    **{
        f"station.{name}": getattr(StationConfig(), name)
        for name in (
            "transform",
            "optimizer",
            "schedule",
            "weight_decay",
            "gradient_clip",
            "loss",
            "client_bits",
            "station_bits",
            "privacy",
        )
    },
}
"""Settings that are younger than `FORMAT` of `fl.training.command.checkpoint`, with what they were before there were
any: so they are named only where they differ, and older folders go on."""


def _alike(values: Sequence[Any]) -> Any:
    """The value that all have; all of them where they differ."""
    return values[0] if all(value == values[0] for value in values) else list(values)


def _data_of(federation: Federation) -> dict[str, Any]:
    """Which samples judge, and which client of which base station has which."""
    clients = [client for station in federation.stations for client in station.clients]
    names = federation.dataset.label_names
    return {
        "targets": names,
        "data": digest_of(names, [federation.dataset.test, *clients]),
        "stations": len(federation.stations),
        "clients": _alike([len(station.clients) for station in federation.stations]),
    }


def _clock_of(links: Links) -> dict[str, Any]:
    """What simulated seconds are worked out from; of single clients' and base stations' links the digest."""
    own = [sorted(each.items()) for each in (links.own_client, links.own_cloud, links.own_seconds)]
    found = {"client_link": asdict(links.client), "cloud_link": asdict(links.cloud)}
    digest = hashlib.sha256(repr(own).encode()).hexdigest() if any(own) else None
    return {**found, "seconds_per_image": links.seconds_per_image, "links": digest}


def _model_of(spec: ModelSpec, like: torch.Tensor) -> dict[str, Any]:
    """What a model is: its name, its layers and tensors, and what it computes, which no layer may show."""
    module = spec.build().eval()
    layers = f"{re.sub('0x[0-9a-f]+', '', repr(module))} {[*spec.tensors().items()]}"
    inputs = torch.linspace(-1, 1, 2 * math.prod(spec.input_shape)).reshape(2, *spec.input_shape)
    if like.dtype != torch.uint8 and not like.is_floating_point():  # such as numbers of words, which a model must know
        inputs = like[[0, -1]].cpu()
    with use_threads(1), reproducible(0, inputs.device), torch.inference_mode():
        outputs = module(inputs).double().flatten().tolist()
    digest = hashlib.sha256(layers.encode()).hexdigest()
    return {"model": spec.name, "model.layers": digest, _OUTPUTS: [float(f"{value:.4g}") for value in outputs]}


_OUTPUTS = "model.outputs"
"""On two inputs, of parameters that are always the same. Between CPUs they differ by rounding."""


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Sequence[str]:
    """In what two identities differ, for people."""
    return [
        f"{name} is {there.get(name)} there, {here.get(name)} here"
        for name in sorted({*there, *here} - {_GRAPHS})
        if there.get(name) != here.get(name)
        and not (name == _OUTPUTS and _nearly(there.get(name, ()), here.get(name, ())))
    ]


def _nearly(some: Sequence[float], others: Sequence[float]) -> bool:
    largest = max(map(abs, some), default=0.0)
    return len(some) == len(others) and all(
        math.isclose(one, other, rel_tol=0.0, abs_tol=largest / 100) or repr(one) == repr(other)
        for one, other in zip(some, others, strict=True)
    )


def check_alike(federation: Federation, group: Group) -> None:
    """Check that all ranks were started for the same run, with the same data.

    Raises:
        TrainingError: they were not.
    """
    if group.size == 1:
        return
    mine = {**identity_of(federation), "rounds": federation.config.rounds}
    theirs = group.from_leader(lambda: mine)

    def check() -> None:
        if found := differences(theirs, mine):
            raise TrainingError(f"it was started for another run than rank 0: {'; '.join(found)}")

    group.together(check)
