"""The selected model's training as its parties do it: base stations train and record, the winner averages and records.

What a party uses it reads from the artefact store by the digest that is on chain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from torch import nn

from fl.artefacts import ArtefactStore, from_chain, to_chain
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.members import BaseStation, Owner
from fl.market.merkle import updates_root
from fl.training.averaging.aggregate import aggregate
from fl.training.contribution.methods import measure_margins
from fl.training.contribution.points import total_margins
from fl.training.errors import DivergedError, TooFewError
from fl.training.federation import Federation
from fl.training.model.artefact import load_model, save_model
from fl.training.model.evaluation import Evaluation
from fl.training.seeds import Stream, derive_seed
from fl.training.update import load_update, save_update


@dataclass(frozen=True)
class Epoch:
    """A recorded global round."""

    epoch: int
    global_digest: str
    evaluation: Evaluation
    updates_root: bytes


@dataclass(frozen=True)
class Training:
    """What training left.

    Attributes:
        initial_digest: of the model it started from.
        epochs: one a global round.
        margins: each recording base station's margin in accuracy, by index (paper, section IV-C).
        result_digest: of the model that the winner reports.
        final: how that model does on the target labels.
    """

    initial_digest: str
    epochs: tuple[Epoch, ...]
    margins: dict[int, Fraction]
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
        honest: False: the winner reports a freshly drawn model instead of the trained one.

    Raises:
        TrainingError: training cannot go on (see `fl.training`).
        ArtefactError: an artefact is missing or not what its digest says.
    """
    digest = initial = store.put(save_model(federation.model, federation.initial_state()))
    epochs: list[Epoch] = []
    margins = []
    workspace = federation.model.build()
    with watcher.progress("training", federation.config.rounds * len(stations)) as advance:
        for epoch in range(federation.config.rounds):
            recorded = _train_stations(market, federation, stations, store, digest, epoch, watcher, advance, workspace)
            # The winner's part: it reads the updates that the chain names, judges them, averages them.
            start = epochs[-1].evaluation if epochs else _judge(federation, store, digest)
            updates = [load_update(store.get(from_chain(each)), federation.model) for _, each in recorded]
            margins.append(measure_margins(start, updates, lambda state: federation.evaluate(state, None, workspace)))
            state = aggregate(updates)
            digest = store.put(save_model(federation.model, state, global_round=epoch))
            root = updates_root(recorded)
            market.record_global_round(winner.account, winner.round_id, epoch, to_chain(digest), root)
            epochs.append(Epoch(epoch, digest, federation.evaluate(state, None, workspace), root))
            accuracy = epochs[-1].evaluation.accuracy
            watcher.did(winner.name, f"averaged global round {epoch + 1}: accuracy {accuracy:.1%}")
    if not honest:
        seed = derive_seed(federation.config.seed + 1, Stream.MODEL)
        digest = store.put(save_model(federation.model, federation.model.initial_state(seed)))
    final = _judge(federation, store, digest)
    return Training(initial, tuple(epochs), total_margins(margins), digest, final)


def _train_stations(
    market: Market,
    federation: Federation,
    stations: Sequence[tuple[int, BaseStation]],
    store: ArtefactStore,
    global_digest: str,
    epoch: int,
    watcher: Watcher,
    advance: Callable[[], None],
    workspace: nn.Module,
) -> list[tuple[str, bytes]]:
    """Each base station trains from the recorded global model and records its update: (account, digest) of each.

    One that has none, because its clients' losses are no numbers or too few of them returned, records nothing and so
    is absent in this global round.

    Raises:
        DivergedError, TooFewError: no base station has an update.
    """
    recorded = []
    failures: list[DivergedError | TooFewError] = []
    for index, station in stations:
        _, state = load_model(store.get(global_digest), federation.model)
        try:
            update = federation.stations[index].train_round(state, epoch, workspace)
        except (DivergedError, TooFewError) as error:
            failures.append(error)
            watcher.did(station.name, f"has no update in global round {epoch + 1}: {error}")
            advance()
            continue
        digest = to_chain(store.put(save_update(update)))
        market.record_update(station.account, station.round_id, epoch, digest)
        recorded.append((station.address, digest))
        advance()
    if failures and not recorded:
        raise failures[0]
    return recorded


def _judge(federation: Federation, store: ArtefactStore, digest: str) -> Evaluation:
    _, state = load_model(store.get(digest), federation.model)
    return federation.evaluate(state)


def measure(federation: Federation, store: ArtefactStore, digest: bytes) -> int:
    """The accuracy that an owner measures of the shared model, 1/10,000; reads it by the digest on chain."""
    return _judge(federation, store, from_chain(digest)).accuracy_bps
