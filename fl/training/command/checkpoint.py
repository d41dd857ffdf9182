"""A run's folder: its checkpoint after every global round, its models, its metrics.

    checkpoint.json   which run this is, whether it keeps all models, and its last two global rounds: digest of the
                      model, of what the strategy carries for the server and for clients, and how long the metrics
                      file was
    models/           those models and states, named by the SHA-256 of their content; with patience the best model too
    metrics.jsonl     one line per global round
    lock              held while a process trains here

A round is stored in an order that leaves the folder whole wherever the process is killed: the model, the line, then
`checkpoint.json`, each flushed to disk before the next and replaced as a whole; a line beyond what the checkpoint says
is cut off by whoever goes on. Every draw of a run follows from its seed and the number of the round, so there is no
other state to keep. Of what lies in the folder only what the run itself stored is ever deleted: `checkpoint.json` names
it before it goes, so that whoever goes on can finish that.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fl.faults import line_of
from fl.store.artefacts import ArtefactStore
from fl.store.errors import Corrupt, Missing
from fl.store.files import Files
from fl.training.cloud import GlobalRound
from fl.training.command.identity import differences, identity_of
from fl.training.errors import CheckpointError, ModelError, on_disk
from fl.training.federation import Federation
from fl.training.model.artefact import load_metadata, load_model, load_state, save_model, save_state
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from fl.training.network import Links
from fl.training.strategy import Carried, States, pack, unpack

log = logging.getLogger(__name__)

FORMAT = 3
"""Of `checkpoint.json` and `metrics.jsonl`; in format 2 less was known of which run it is, in 1 rounds were epochs."""

_MOST_BYTES = 2**40
"""Of a model that this program has stored itself."""

_KEPT = 2
"""Global rounds whose models are kept: the last, and the one before, should that be corrupt."""


@dataclass(frozen=True, eq=False)
class Resumed:
    """Where a run goes on.

    Attributes:
        global_round: the last finished global round.
        state: the global model after it.
        carried: what the strategy carries to the next.
    """

    global_round: int
    state: State
    carried: Carried


@dataclass(frozen=True)
class _Entry:
    """A finished global round in `checkpoint.json`.

    Attributes:
        velocity: digest of the server's state, so named since that was momentum only.
        clients: digest of the clients' states.
    """

    global_round: int
    model: str
    velocity: str | None
    metrics_bytes: int
    clients: str | None = None

    def digests(self) -> list[str]:
        """Of all that is stored of it."""
        return [digest for digest in (self.model, self.velocity, self.clients) if digest is not None]

    def as_json(self) -> dict[str, Any]:
        """As a plain run has always been stored where the strategy carries nothing for clients."""
        return {name: value for name, value in asdict(self).items() if name != "clients" or value is not None}


class RunFolder:
    """A run's folder while a process trains in it; made by `open_run`.

    Attributes:
        resumed: the last finished global round that can be read; None where there is none.
        records: the lines of the metrics file up to it.
    """

    def __init__(
        self, root: Path, identity: Mapping[str, Any], spec: ModelSpec, keep_models: bool, keep_best: bool = False
    ):
        self._keep_best = keep_best
        self._root = root
        self._identity = dict(identity)
        self._keep_models = keep_models
        self._models = Files(root / "models")
        self._store = ArtefactStore(self._models)
        self._dropped: list[str] = []
        self._remove_unfinished()
        self._entries = self._read_entries()
        self.resumed = self._last_good(spec)
        self.records: list[dict[str, Any]] = self._cut_metrics()
        self._write_checkpoint()
        self._prune()

    def save(self, spec: ModelSpec, done: GlobalRound, record: Mapping[str, Any]) -> None:
        """Store a finished global round; the run can go on from it once this returns.

        Args:
            spec: of the global model.
            done: the round.
            record: its line in the metrics file.

        Raises:
            CheckpointError: the system refused to write; the checkpoint before it stands.
        """
        with on_disk(self._root):
            self._save(spec, done, record)

    def _save(self, spec: ModelSpec, done: GlobalRound, record: Mapping[str, Any]) -> None:
        model = self._store.put(save_model(spec, done.state, global_round=done.global_round))
        server = clients = None
        if done.carried.server:
            server = self._store.put(save_state(done.carried.server, {"global_round": done.global_round}))
        if done.carried.clients:
            counts = [[station, len(states)] for station, states in sorted(done.carried.clients.items())]
            states = tuple(done.carried.by_client().values())
            clients = self._store.put(pack(states, stations=counts, global_round=done.global_round))
        with self._metrics.open("ab") as file:
            file.write((json.dumps(record) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
            length = file.tell()
        best_before = best_of(self.records) if self.records else None
        self.records.append(dict(record))
        entries = [*self._entries, _Entry(done.global_round, model, server, length, clients)]
        self._entries, gone = entries[-_KEPT:], entries[:-_KEPT]
        if not self._keep_models:
            self._dropped = [digest for entry in gone for digest in entry.digests()]
            if self._keep_best and best_before is not None:
                kept = {entry.model for entry in self._entries} | {best_of(self.records)["model"]}
                self._dropped = [*{*self._dropped, best_before["model"]} - kept]
        self._write_checkpoint()
        self._prune()

    @property
    def _checkpoint(self) -> Path:
        return self._root / "checkpoint.json"

    @property
    def _metrics(self) -> Path:
        return self._root / "metrics.jsonl"

    def _read_entries(self) -> list[_Entry]:
        if not self._checkpoint.exists():
            return []
        try:
            document = json.loads(self._checkpoint.read_text(encoding="utf-8"))
            version, identity, rounds = document["format"], document["run"], document["rounds"]
            entries = [_Entry(**entry) for entry in rounds] if version == FORMAT else []
            if version == FORMAT:  # what was kept so far is kept, whether or not this command says so again
                self._keep_models |= bool(document["keep_models"])
                self._dropped = [str(digest) for digest in document["dropped"]]
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{self._checkpoint} cannot be read ({error!r}): move the folder away to start anew"
            ) from error
        if version != FORMAT:
            raise CheckpointError(
                f"{self._checkpoint} is of format {version}, this program reads {FORMAT}: choose another folder"
            )
        if found := differences(identity, json.loads(json.dumps(self._identity))):
            raise CheckpointError(f"{self._root} holds another run: {'; '.join(found)}")
        return entries

    def _last_good(self, spec: ModelSpec) -> Resumed | None:
        """The last round that can be read; what is newer is forgotten, and trained again."""
        while self._entries:
            last = self._entries[-1]
            try:
                return self._load(last, spec)
            except ModelError as error:
                raise CheckpointError(f"{self._root} holds another run: {error}") from error
            except (Missing, Corrupt, CheckpointError) as error:
                if len(self._entries) == 1 and last.global_round > 0:
                    raise CheckpointError(
                        f"no checkpoint in {self._root} can be read ({error}): move the folder away to start anew"
                    ) from error
                which = f"global round {last.global_round} in {self._root}"
                log.warning("%s cannot be read and is trained again: %s", which, error)
                self._entries.pop()
        return None

    def _load(self, entry: _Entry, spec: ModelSpec) -> Resumed:
        _, state = load_model(self._store.get(entry.model, most=_MOST_BYTES), spec, own=True)
        server: State = {}
        clients: dict[int, States] = {}
        if entry.velocity is not None:
            server = load_state(self._store.get(entry.velocity, most=_MOST_BYTES))
        if entry.clients is not None:
            data = self._store.get(entry.clients, most=_MOST_BYTES)
            states = iter(unpack(data))
            clients = {station: States(islice(states, count)) for station, count in load_metadata(data)["stations"]}
        if not self._metrics.exists() or self._metrics.stat().st_size < entry.metrics_bytes:
            raise CheckpointError(f"{self._metrics} is shorter than it was")
        return Resumed(entry.global_round, state, Carried(server, clients))

    def _cut_metrics(self) -> list[dict[str, Any]]:
        length = self._entries[-1].metrics_bytes if self._entries else 0
        if not self._metrics.exists():
            return []
        with self._metrics.open("r+b") as file:
            lines = file.read(length)
            file.truncate(length)
        try:
            return [json.loads(line) for line in lines.splitlines()]
        except ValueError as error:
            raise CheckpointError(
                f"{self._metrics} is corrupt ({error}): move the folder away to start anew"
            ) from error

    def _write_checkpoint(self) -> None:
        document = {
            "format": FORMAT,
            "run": self._identity,
            "keep_models": self._keep_models,
            "rounds": [entry.as_json() for entry in self._entries],
            "dropped": self._dropped,
        }
        temporary = self._checkpoint.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._checkpoint)
        handle = os.open(self._root, os.O_RDONLY)  # the new name itself has to reach the disk
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _remove_unfinished(self) -> None:
        self._checkpoint.with_suffix(".new").unlink(missing_ok=True)
        self._models.remove_unfinished()

    def _prune(self) -> None:
        """Delete what the last checkpoint says is dropped."""
        for digest in self._dropped:
            self._models.remove(self._store.name(digest))


def best_of(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The line of the metrics file of the most accurate global model, the first of several; of one line at least."""
    return max(records, key=lambda record: float(record["accuracy"]))


@contextmanager
def open_run(
    root: Path, federation: Federation, keep_models: bool = False, links: Links | None = None
) -> Iterator[RunFolder]:
    """Open a run's folder to train in it: a new run where it holds none, else the run that it holds goes on.

    Args:
        root: the folder; it is made.
        federation: what trains.
        keep_models: keep every global round's model, not only the last two; a run that once did goes on doing so.
        links: that its simulated seconds are worked out from; None: it has none.

    Raises:
        CheckpointError: the folder holds another run, another process trains in it, no checkpoint in it can be read,
            or the system does not let it be read or written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in root.iterdir()}
        if "checkpoint.json" not in names and names - {"lock", "checkpoint.new"}:
            raise CheckpointError(f"{root} is not empty and holds no run: choose another folder")
        lock = (root / "lock").open("w")
    except OSError as error:
        raise CheckpointError(f"{root} cannot be used as a folder: {line_of(error)}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it however the process ends
        except OSError:
            raise CheckpointError(f"another process trains in {root}") from None
        with on_disk(root):
            patient = federation.config.patience is not None
            folder = RunFolder(root, identity_of(federation, links), federation.model, keep_models, patient)
        finished = 0 if folder.resumed is None else folder.resumed.global_round + 1
        if finished > federation.config.rounds:
            raise CheckpointError(
                f"{root} holds {finished} global rounds already, more than the {federation.config.rounds} asked for"
            )
        yield folder
