"""The selected model's training as its parties do it: base stations train and record, the winner averages and records.

What a party uses it reads from the artefact store by the digest that is on chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.members import BaseStation, Owner
from fl.market.merkle import updates_root
from fl.market.terms import Role
from fl.record.history import RoundRecord
from fl.store.artefacts import ArtefactStore, from_chain, to_chain
from fl.training.averaging.aggregate import aggregate
from fl.training.contribution.methods import measure_margins
from fl.training.contribution.points import TOTAL_POINTS, contribution_points, total_margins
from fl.training.errors import DivergedError, TooFewError
from fl.training.federation import Federation
from fl.training.model.artefact import load_model, most_bytes, save_model
from fl.training.model.evaluation import Evaluation
from fl.training.model.parameters import State
from fl.training.seeds import Stream, derive_seed
from fl.training.update import Update, load_update, save_update

Points = dict[str, int]

NO_UPDATE = bytes(32)
"""What a base station records that was there and has no update: attendance earns the reward, the update the points."""


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
    federation: Federation,
    winner: Owner,
    stations: Sequence[tuple[int, BaseStation]],
    store: ArtefactStore,
    watcher: Watcher,
    *,
    present: Mapping[int, int] | None = None,
    honest: bool = True,
) -> Training:
    """Train and record every global round.

    Args:
        market: where everything is recorded.
        federation: the parties' data and the model.
        winner: the owner of the model.
        stations: the base stations that take part, with their index in the federation.
        store: of the artefacts.
        watcher: told of every global round.
        present: how many global rounds a base station stays for, by its index; those not named stay for all.
        honest: False: the winner reports a freshly drawn model instead of the trained one.

    Raises:
        TrainingError: training cannot go on (see `fl.training`).
        StoreError: an artefact is missing or not what its digest says.
    """
    digest = initial = store.put(save_model(federation.model, federation.initial_state()))
    done: list[GlobalRound] = []
    total = federation.config.rounds
    stays = {index: (present or {}).get(index, total) for index, _ in stations}
    workspace = federation.model.build()
    with watcher.progress("training", sum(stays.values())) as advance:
        for number in range(total):
            there = [(index, station) for index, station in stations if number < stays[index]]
            recorded = _train_stations(market, federation, there, store, digest, number, watcher, advance, workspace)
            # The winner's part: it reads the updates that the chain names, and averages them.
            state = aggregate([_update(federation, store, each, number) for _, each in recorded])
            digest = store.put(save_model(federation.model, state, global_round=number))
            root = updates_root(recorded)
            market.record_global_round(winner.account, winner.round_id, number, to_chain(digest), root)
            done.append(GlobalRound(number, digest, federation.evaluate(state, None, workspace), root))
            accuracy = done[-1].evaluation.accuracy
            watcher.did(winner.name, f"averaged global round {number + 1}: accuracy {accuracy:.1%}")
    if not honest:
        seed = derive_seed(federation.config.seed + 1, Stream.MODEL)
        digest = store.put(save_model(federation.model, federation.model.initial_state(seed)))
    return Training(initial, tuple(done), digest, judge(federation, store, digest))


def _train_stations(
    market: Market,
    federation: Federation,
    stations: Sequence[tuple[int, BaseStation]],
    store: ArtefactStore,
    global_digest: str,
    number: int,
    watcher: Watcher,
    advance: Callable[[], None],
    workspace: nn.Module,
) -> list[tuple[str, bytes]]:
    """Each base station trains from the recorded global model and records its update: (account, digest) of each.

    One that has none, because its clients' losses are no numbers or too few of them returned, records that it was
    there, and is not among them.

    Raises:
        DivergedError, TooFewError: no base station has an update.
    """
    recorded = []
    failures: list[DivergedError | TooFewError] = []
    for index, station in stations:
        state = _model(federation, store, global_digest)
        try:
            update = federation.stations[index].train_round(state, number, workspace)
        except (DivergedError, TooFewError) as error:
            failures.append(error)
            watcher.did(station.name, f"has no update in global round {number + 1}: {error}")
            market.record_update(station.account, station.round_id, number, NO_UPDATE)
        else:
            digest = to_chain(store.put(save_update(update)))
            market.record_update(station.account, station.round_id, number, digest)
            recorded.append((station.address, digest))
        advance()
    if failures and not recorded:
        raise failures[0]
    return recorded


# ── what an owner measures, from what the chain names ──


def with_own_data(federation: Federation, owner: int) -> Federation:
    """The federation as an owner judges models: by test images of its own, a random half of all."""
    test = federation.dataset.test
    rng = np.random.default_rng(derive_seed(federation.config.seed, Stream.OWN_TEST, owner))
    half = np.sort(rng.permutation(len(test))[: (len(test) + 1) // 2])
    return replace(federation, dataset=replace(federation.dataset, test=test.take(half)))


def judge(federation: Federation, store: ArtefactStore, digest: str) -> Evaluation:
    """How a shared model does; it is read by the digest on chain."""
    return federation.evaluate(_model(federation, store, digest))


def measure_contributions(federation: Federation, store: ArtefactStore, record: RoundRecord, initial: str) -> Points:
    """The points that an owner finds right: by the margin in accuracy of every recorded update (paper, IV-C).

    Args:
        federation: as that owner judges models.
        store: of the artefacts.
        record: of the round so far.
        initial: digest of the model that training started from.

    Returns:
        Points by base station's account; none where fewer than half of all recorded an update, whose points could not
        add up.
    """
    workspace = federation.workspace()

    def judged(state: State) -> Evaluation:
        return federation.evaluate(state, None, workspace)

    stations = record.committed(Role.BASE_STATION)
    margins = []
    for number, (global_digest, _) in sorted(record.global_rounds.items()):
        start = judged(_model(federation, store, initial))
        updates = [
            replace(_update(federation, store, digest, number), station=index)
            for index, station in enumerate(stations)
            if (digest := station.updates.get(number, NO_UPDATE)) != NO_UPDATE
        ]
        margins.append(measure_margins(start, updates, judged))
        initial = from_chain(global_digest)
    totals = total_margins(margins)
    most = 2 * TOTAL_POINTS // len(stations)
    if len(totals) * most < TOTAL_POINTS:
        return {}
    points = contribution_points(list(totals.values()), most=most)
    return {stations[index].account: each for index, each in zip(totals, points, strict=True)}


def _model(federation: Federation, store: ArtefactStore, digest: str) -> State:
    _, state = load_model(store.get(digest, most=most_bytes(federation.model)), federation.model)
    return state


def _update(federation: Federation, store: ArtefactStore, digest: bytes, global_round: int) -> Update:
    data = store.get(from_chain(digest), most=most_bytes(federation.model))
    return load_update(data, federation.model, global_round)
