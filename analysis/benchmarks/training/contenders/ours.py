"""This project's engine, through what it offers everybody."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from analysis.benchmarks.training import inputs
from analysis.benchmarks.training.contenders.job import Job
from fl.training.cloud import train
from fl.training.crews.pool import open_crew
from fl.training.crews.streams import MOST
from fl.training.federation import build_federation
from fl.training.station import StationRound


def run(job: Job) -> None:
    """Play the job; options: the "precision" of the clients' passes, other "stations" and "clients"."""
    workload, dataset = inputs.read_dataset(job.data)
    config = workload.config(job.rounds, job.device)
    assert config.station is not None
    options = dict(job.options)
    spread = {name: options.pop(name) for name in ("stations", "clients") if name in options}
    config = replace(config, **spread, station=replace(config.station, **options))
    federation = build_federation(config, dataset)
    job.begins(federation.initial_state())
    # the few rounds measured stand for many, for which a GPU would play base stations beside each other
    with open_crew(federation, MOST if job.device == "cuda" else None) as crew:
        for done in train(federation.config, federation.model, crew):
            job.round_ends(_steps(done.stations, workload.batch_size), done.evaluation.accuracy)
            state = done.state
            del done  # a thousand updates
    clients = [samples for station in federation.stations for samples in station.clients]
    job.ends(state, [inputs.images_digest(samples) for samples in clients])


def _steps(stations: tuple[StationRound, ...], batch: int) -> int:
    return sum(
        client.epochs * ceil(client.samples / batch)
        for station in stations
        for aggregation in station.work
        for client in aggregation
    )
