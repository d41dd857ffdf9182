"""The selected model's training as the winner leads it, and what owners measure of it.

`fl.training.cloud.train` is the loop; a crew (`fl.crowdfunding.crew`) brings what base stations recorded on chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fl.artefacts import ArtefactStore, to_chain
from fl.crowdfunding.crew import Recorded, Recording, recorded_root, start_of
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.members import BaseStation, Owner
from fl.market.terms import Role
from fl.record.history import RoundRecord
from fl.training import cloud
from fl.training.config import TrainingConfig
from fl.training.contribution.measure import measure_contributions
from fl.training.contribution.points import TOTAL_POINTS, contribution_points, total_margins
from fl.training.crews.crew import Crew
from fl.training.federation import Federation
from fl.training.model.artefact import load_model, save_model
from fl.training.model.evaluation import Evaluation
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from fl.training.seeds import Stream, derive_seed

Judge = Callable[[State], Evaluation]


@dataclass(frozen=True)
class GlobalRound:
    """A recorded global round."""

    number: int
    digest: str
    evaluation: Evaluation
    updates_root: bytes


@dataclass(frozen=True)
class Training:
    """What training left.

    Attributes:
        initial_digest: of the model it started from.
        global_rounds: in order.
        result_digest: of the model that the winner reports.
        final: how that model does on the target labels.
    """

    initial_digest: str
    global_rounds: tuple[GlobalRound, ...]
    result_digest: str
    final: Evaluation


def train(
    market: Market,
    config: TrainingConfig,
    model: ModelSpec,
    crew: Crew,
    winner: Owner,
    stations: Sequence[BaseStation],
    store: ArtefactStore,
    record: Callable[[], RoundRecord],
    watcher: Watcher,
    *,
    present: Mapping[int, int] | None = None,
    honest: bool = True,
) -> Training:
    """Train and record every global round.

    Args:
        market: where everything is recorded.
        config: the run's settings.
        model: what is trained.
        crew: whose base stations train, and that judges.
        winner: the owner of the model.
        stations: the base stations on chain, by index.
        store: of the artefacts.
        record: what the chain says of the round so far.
        watcher: told of every global round.
        present: how many global rounds a base station stays for, by its index; those not named stay for all.
        honest: False: the winner reports a freshly drawn model instead of the trained one.

    Raises:
        TrainingError: training cannot go on (see `fl.training`).
        ArtefactError: an artefact is missing or not what its digest says.
    """
    state = model.initial_state(config.seed)
    digest = initial = store.put(save_model(model, state))
    stays = {index: (present or {}).get(index, config.rounds) for index in range(len(stations))}
    done: list[GlobalRound] = []
    with watcher.progress("training", sum(stays.values())) as advance:
        for each in cloud.train(
            replace(config, contribution="none"),  # they are measured for the report, by each owner's own images
            model,
            Recording(model, record, store, crew, stations, market, initial, watcher, advance),
            state=state,
            present=lambda number, index: number < stays[index],
        ):
            number, root = each.global_round, recorded_root(record(), each.global_round)
            digest = store.put(save_model(model, each.state, global_round=number))
            market.record_global_round(winner.account, winner.round_id, number, to_chain(digest), root)
            done.append(GlobalRound(number, digest, each.evaluation, root))
            kept = f" (the model stays as it was: {each.unchanged})" if each.unchanged else ""
            accuracy = f"accuracy {each.evaluation.accuracy:.1%}"
            watcher.did(winner.name, f"averaged global round {number + 1}: {accuracy}{kept}")
    if not honest:
        digest = store.put(save_model(model, model.initial_state(config.seed + 1)))
    return Training(initial, tuple(done), digest, judge_artefact(model, store, digest, crew.evaluate))


# ── what an owner measures, from what the chain names ──


def with_own_data(federation: Federation, owner: int) -> Federation:
    """The federation as an owner judges models: by test images of its own, a random half of all."""
    test = federation.dataset.test
    rng = np.random.default_rng(derive_seed(federation.config.seed, Stream.OWN_TEST, owner))
    half = np.sort(rng.permutation(len(test))[: (len(test) + 1) // 2])
    return replace(federation, dataset=replace(federation.dataset, test=test.take(half)))


def judge_artefact(model: ModelSpec, store: ArtefactStore, digest: str, judge: Judge) -> Evaluation:
    """How a shared model does; it is read by the digest on chain."""
    _, state = load_model(store.get(digest), model)
    return judge(state)


def measure_points(
    config: TrainingConfig, model: ModelSpec, store: ArtefactStore, record: RoundRecord, initial: str, judge: Judge
) -> dict[str, int]:
    """The points that an owner finds right, by the contribution of every recorded update (paper, IV-C).

    Args:
        config: the run's settings: how contributions are measured.
        model: what is trained.
        store: of the artefacts.
        record: of the round so far.
        initial: digest of the model that training started from.
        judge: judges a model by that owner's images.

    Returns:
        Points by base station's account; none where fewer than half of all recorded an update, whose points could not
        add up.
    """
    crew = Recorded(model, lambda: record, store, judge)
    stations = record.committed(Role.BASE_STATION)
    measured = []
    for number in sorted(record.global_rounds):
        _, state = load_model(store.get(start_of(record, number, initial)), model)
        rounds = crew.play(state, number, range(len(stations)))
        updates = [played.update for played in rounds if played.update is not None]
        measured.append(measure_contributions(config, number, judge(state), updates, judge).values)
    totals = total_margins(measured)
    most = 2 * TOTAL_POINTS // len(stations)
    if len(totals) * most < TOTAL_POINTS:
        return {}
    points = contribution_points(list(totals.values()), most=most)
    return {stations[index].account: each for index, each in zip(totals, points, strict=True)}
