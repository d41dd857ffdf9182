"""A run as the command makes it: checkpointed, measured, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from fl.store.artefacts import digest_of
from fl.training.accountant import Accountant
from fl.training.cloud import GlobalRound, train
from fl.training.command.checkpoint import Resumed, RunFolder, open_run
from fl.training.command.identity import check_alike
from fl.training.command.links_file import read_links
from fl.training.command.metrics import Board, record_of
from fl.training.command.options import Options
from fl.training.contribution.methods import count_evaluations
from fl.training.crews.crew import LocalCrew
from fl.training.crews.pool import open_crew
from fl.training.crews.ranks import ALONE, Group
from fl.training.crews.spread import Spread
from fl.training.federation import Federation
from fl.training.model.artefact import save_model
from fl.training.network import Link, Links
from fl.training.station import StationRound
from fl.training.strategy import NOTHING


def run(
    federation: Federation,
    options: Options,
    on_station: Callable[[StationRound], None] = lambda played: None,
    group: Group = ALONE,
    *,
    on_evaluated: Callable[[], None] = lambda: None,
    on_estimate: Callable[[int, float], None] = lambda evaluations, seconds: None,
) -> Iterator[Mapping[str, Any]]:
    """Train what is left to train of a run; of several ranks, the first stores it.

    Args:
        federation: the parties.
        options: where to store what, and the links.
        on_station: called with each base station's round as it ends, for progress.
        group: the ranks that train it together, each of which calls this.
        on_evaluated: called after each model that is judged to measure contributions, for progress.
        on_estimate: called before the training with how many of these there will be at most, and the seconds that
            they will take.

    Yields:
        The line of the metrics file of each global round, those of earlier processes first.

    Raises:
        TrainingError: see `fl.training.cloud.train`, `fl.training.command.checkpoint.open_run` and `Board`.
    """
    links = links_of(options, {station.index: len(station.clients) for station in federation.stations})
    check_alike(federation, group)
    with ExitStack() as stack:
        outputs: list[_Outputs] = []

        def open_outputs() -> tuple[Resumed | None, Sequence[Mapping[str, Any]]]:
            outputs.append(_Outputs(options, federation, links, stack))
            return outputs[0].resumed, outputs[0].records

        resumed, records = group.from_leader(open_outputs)
        first = 0 if resumed is None else resumed.global_round + 1
        yield from records
        # several ranks of one machine have its cores already
        workers = 0 if options.workers is None and group.size > 1 else options.workers
        crew: LocalCrew = stack.enter_context(open_crew(federation, workers, first))
        if group.size > 1:
            crew = Spread(federation, group, crew)
        accountant = Accountant(federation.stations, federation.config.station_dropout)
        state = federation.initial_state() if resumed is None else resumed.state
        evaluations = (federation.config.rounds - first) * evaluations_of(federation)
        before = None
        if evaluations:
            start = perf_counter()
            before = crew.evaluate(state)
            on_estimate(evaluations, evaluations * (perf_counter() - start))
        start = perf_counter()
        for done in train(
            federation.config,
            federation.model,
            crew,
            state=state,
            carried=NOTHING if resumed is None else resumed.carried,
            first_round=first,
            on_station=on_station,
            on_evaluated=on_evaluated,
            before=before,
            accuracies=[record["accuracy"] for record in records],
        ):
            digest = digest_of(save_model(federation.model, done.state, global_round=done.global_round))
            seconds = perf_counter() - start
            served = crew.evaluate_clients(done.state) if options.evaluate_clients else None
            record = record_of(federation, done, digest, seconds, links, served)
            if epsilons := accountant.after(done.global_round):
                record["epsilon"] = {str(station): epsilon for station, epsilon in epsilons.items()}
            for output in outputs:
                output.add(done, record)
            del done  # with its updates, before the next round's come
            yield record
            start = perf_counter()


class _Outputs:
    """What a run leaves behind, where it is asked to."""

    def __init__(self, options: Options, federation: Federation, links: Links | None, stack: ExitStack):
        self._spec = federation.model
        self._folder: RunFolder | None = None
        self._board: Board | None = None
        self.resumed: Resumed | None = None
        self.records: Sequence[Mapping[str, Any]] = ()
        if options.out is not None:
            self._folder = stack.enter_context(open_run(options.out, federation, options.keep_models, links))
            self.resumed, self.records = self._folder.resumed, tuple(self._folder.records)
        if options.tensorboard is not None:
            self._board = Board(options.tensorboard, 0 if self.resumed is None else self.resumed.global_round + 1)
            stack.callback(self._board.close)

    def add(self, done: GlobalRound, record: Mapping[str, Any]) -> None:
        if self._folder is not None:
            self._folder.save(self._spec, done, record)
        if self._board is not None:
            self._board.add(record)


def evaluations_of(federation: Federation) -> int:
    """The most evaluations that contributions take in a global round."""
    return count_evaluations(federation.config.contribution, len(federation.stations))


def links_of(options: Options, clients: Mapping[int, int]) -> Links | None:
    """The links that the options name; None where they name none.

    Args:
        options: of the run.
        clients: number of clients of each base station, by its index.

    Raises:
        TrainingError: a bandwidth, a latency or a time is out of bounds, or the file of links cannot be used.
    """
    if options.client_link is None or options.cloud_link is None:
        return None
    client, cloud = (
        Link(bandwidth * 1e6, latency / 1e3) for bandwidth, latency in (options.client_link, options.cloud_link)
    )
    links = Links(client, cloud, options.seconds_per_image)
    return links if options.links is None else read_links(options.links, links, clients)
