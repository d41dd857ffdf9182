"""Forecasts the accuracy of a model by a pilot: a training of the same kind, alone and on a part of the samples."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from fl.atomic import write_atomically
from fl.training.cloud import train
from fl.training.config import Rule
from fl.training.crews.crew import InProcess
from fl.training.data.dataset import digest_of
from fl.training.federation import Federation
from fl.training.model.evaluation import Evaluation
from fl.training.seeds import Stream, derive_seed
from fl.training.station import Station


def forecast(federation: Federation, part: float) -> Evaluation:
    """The accuracy that a pilot reaches on the federation's test samples.

    It has as many global rounds as the federation, one base station and one client, so it tells a little less than the
    federation will reach.

    Args:
        federation: whose model it is.
        part: of its training samples, drawn by its seed; above 0, at most 1.

    Raises:
        DivergedError: the loss became no number.
    """
    config, samples = federation.config, federation.dataset.train
    rng = np.random.default_rng(derive_seed(config.seed, Stream.PILOT))
    kept = np.sort(rng.permutation(len(samples))[: max(1, round(part * len(samples)))])
    own = samples.take(kept)
    first = federation.stations[0]
    alone = replace(first.config, rule=Rule())  # there is nobody to withstand, and too few models for it
    station = Station(0, federation.model, (own,), alone, config.seed, first.strategy)
    pilot = replace(
        federation,
        config=replace(config, stations=1, clients=1, per_station={}, rule=Rule(), contribution="none"),
        dataset=replace(federation.dataset, train=own),
        stations=(station,),
    )
    *_, last = train(pilot.config, pilot.model, InProcess(pilot))
    return last.evaluation


def forecast_once(federation: Federation, part: float, folder: Path) -> Evaluation:
    """The same, kept in a file of the folder by all that it hangs on, so that the same pilot is trained once."""
    data = federation.dataset
    samples = digest_of(data.label_names, (data.train, data.test))
    what = repr((federation.config, federation.model, part, torch.__version__, samples))
    path = folder / f"{hashlib.sha256(what.encode()).hexdigest()}.json"
    if path.exists():
        return Evaluation(**json.loads(path.read_text(encoding="utf-8")))
    evaluation = forecast(federation, part)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(evaluation)).encode())
    return evaluation


def expected_bps(pilot: Evaluation) -> int:
    """The accuracy to expect of a model after its pilot, 1/10,000.

    That is `(c + 1) / (n + 2)` for c of n samples right, whatever one knew before: all of a few right is not 1.
    """
    return (pilot.correct + 1) * 10_000 // (pilot.samples + 2)
