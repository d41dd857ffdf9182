"""The base stations of a round on chain as a crew of `fl.training.cloud.train`.

What others use of a base station is what the chain names: the update of its digest, read from the artefact store and
checked against it. So whoever reads the chain can play the same global rounds again, and ends with the same digests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from fl.artefacts import ArtefactError, ArtefactStore, from_chain, to_chain
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.members import BaseStation
from fl.market.merkle import updates_root
from fl.market.terms import Role
from fl.record.history import RoundRecord
from fl.training.averaging.aggregate import aggregate
from fl.training.config import Rule
from fl.training.crews.crew import Crew
from fl.training.errors import ModelError
from fl.training.model.artefact import load_model
from fl.training.model.evaluation import Evaluation
from fl.training.model.parameters import State, is_finite
from fl.training.model.spec import ModelSpec
from fl.training.station import StationRound
from fl.training.update import Update, load_update, save_update

NO_UPDATE = bytes(32)
"""What a base station records that was there and has no update: attendance earns the reward, the update the points."""


class Recorded:
    """Plays what base stations have recorded, for whoever has the chain, the store and images to judge by.

    A base station that recorded `NO_UPDATE`, or an update that nobody can use, counts among the wrong ones that a rule
    tolerates: why it has none is its own word. One that recorded nothing is absent.

    Args:
        model: what is trained; an artefact of another is no update.
        record: what the chain says of the round so far.
        store: of the artefacts.
        judge: judges a model.
    """

    def __init__(
        self,
        model: ModelSpec,
        record: Callable[[], RoundRecord],
        store: ArtefactStore,
        judge: Callable[[State], Evaluation],
    ):
        self._model = model
        self._record = record
        self._store = store
        self._judge = judge

    def play(self, state: State, global_round: int, stations: Sequence[int]) -> Iterator[StationRound]:
        """See `fl.training.crews.crew.Crew`; base stations are numbered in the order in which they joined."""
        members = self._record().committed(Role.BASE_STATION)
        for index in stations:
            digest = members[index].updates.get(global_round)
            if digest is None:
                yield StationRound(index, None, reason="it recorded nothing")
                continue
            try:
                update = self._read(digest)
            except (ArtefactError, ModelError) as error:
                yield StationRound(index, None, reason=str(error), diverged=True)
            else:
                # what an artefact says of its sender is the sender's word
                yield StationRound(index, replace(update, station=index, global_round=global_round))

    def _read(self, digest: bytes) -> Update:
        if digest == NO_UPDATE:
            raise ModelError("it recorded that it has no update")
        update = load_update(self._store.get(from_chain(digest)), self._model)
        if update.samples < 1:
            raise ModelError(f"its update is of {update.samples} samples")
        if not is_finite(update.state):
            raise ModelError("a parameter of its update is no finite number")
        return update

    def combine(self, updates: Sequence[Update], rule: Rule, dropped: int = 0) -> State:
        """See `Crew`."""
        return aggregate(updates, rule, dropped)

    def gather(self, updates: Sequence[Update]) -> Sequence[Update]:
        """See `Crew`."""
        return updates

    def evaluate(self, state: State) -> Evaluation:
        """See `Crew`."""
        return self._judge(state)


class Recording(Recorded):
    """Lets another crew's base stations train, each from the model that the chain names, and record what they have.

    Args:
        model: what is trained.
        record: what the chain says of the round so far.
        store: of the artefacts.
        crew: whose base stations train, and that judges.
        stations: who they are on chain, by index.
        market: where they record.
        initial: digest of the model that training starts from.
        watcher: told who has no update.
        on_recorded: called after each base station.
    """

    def __init__(
        self,
        model: ModelSpec,
        record: Callable[[], RoundRecord],
        store: ArtefactStore,
        crew: Crew,
        stations: Sequence[BaseStation],
        market: Market,
        initial: str,
        watcher: Watcher,
        on_recorded: Callable[[], None],
    ):
        super().__init__(model, record, store, crew.evaluate)
        self._crew = crew
        self._stations = stations
        self._market = market
        self._initial = initial
        self._watcher = watcher
        self._on_recorded = on_recorded

    def play(self, state: State, global_round: int, stations: Sequence[int]) -> Iterator[StationRound]:
        """See `Crew`: what they have recorded, once all have."""
        reasons: dict[int, str] = {}
        start = start_of(self._record(), global_round, self._initial)
        _, start_state = load_model(self._store.get(start), self._model)
        for played in self._crew.play(start_state, global_round, stations):
            station, digest = self._stations[played.station], NO_UPDATE
            if played.update is None:
                reasons[played.station] = played.reason
                self._watcher.did(station.name, f"has no update in global round {global_round + 1}: {played.reason}")
            else:
                digest = to_chain(self._store.put(save_update(played.update)))
            self._market.record_update(station.account, station.round_id, global_round, digest)
            self._on_recorded()
        for played in super().play(state, global_round, stations):
            yield replace(played, reason=reasons.get(played.station, played.reason))


def start_of(record: RoundRecord, global_round: int, initial: str) -> str:
    """Digest of the model that base stations start a global round from.

    Args:
        record: what the chain says.
        global_round: which.
        initial: digest of the model that training starts from.
    """
    return from_chain(record.global_rounds[global_round - 1][0]) if global_round else initial


def recorded_root(record: RoundRecord, global_round: int) -> bytes:
    """The root over all updates that base stations have recorded for a global round; 32 bytes, zero for none."""
    digests = {
        member.account: member.updates.get(global_round, NO_UPDATE) for member in record.committed(Role.BASE_STATION)
    }
    return updates_root([(account, digest) for account, digest in digests.items() if digest != NO_UPDATE])
