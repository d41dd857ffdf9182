"""A finished global round as one line of JSON, and as TensorBoard's scalars."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fl.training.cloud import GlobalRound
from fl.training.errors import TrainingError, on_disk
from fl.training.federation import Federation
from fl.training.model.parameters import size_of
from fl.training.network import Links, Updates, count_traffic, simulate_round
from fl.training.sending.quantisation import update_bytes
from fl.training.station import ClientWork, Outcome

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def record_of(
    federation: Federation,
    done: GlobalRound,
    digest: str,
    seconds: float,
    links: Links | None = None,
    served: Mapping[int, Sequence[int | Fraction]] | None = None,
) -> dict[str, Any]:
    """What the metrics file says of a global round.

    Args:
        federation: that trained it.
        done: the round.
        digest: of its global model.
        seconds: that it took on this machine.
        links: to work out the simulated seconds; None: there are none.
        served: the metric of the global model added up over its own samples, of each client by base station; None:
            nobody has judged.
    """
    size, work = size_of(done.state), [each for played in done.stations for edge in played.work for each in edge]
    updates = {
        each.index: Updates(
            *(update_bytes(federation.model, bits) for bits in (each.config.client_bits, each.config.station_bits))
        )
        for each in federation.stations
    }
    record: dict[str, Any] = {
        "global_round": done.global_round,
        "accuracy": done.evaluation.accuracy,
        "loss": done.evaluation.loss,
        "train_loss": train_loss(work),
        "model": digest,
        "clients": {outcome.value: sum(each.outcome is outcome for each in work) for outcome in Outcome},
        "absent": {str(station): reason for station, reason in done.absent.items()},
        "contribution": {str(station): str(value) for station, value in done.contributions.items()},
        "evaluations": done.evaluations,
        "traffic": asdict(count_traffic(done.stations, size, updates, done.broadcast)),
        "seconds": round(seconds, 3),
    }
    if done.evaluation.by_label:
        names = federation.dataset.label_names
        record["label_accuracy"] = dict(zip(names, done.evaluation.label_accuracies, strict=True))
    if done.evaluation.confusion:
        record["confusion"] = [list(row) for row in done.evaluation.confusion]
    if served is not None:
        samples = {each.index: [len(client) for client in each.clients] for each in federation.stations}
        record["station_accuracy"] = {
            str(index): float(sum(own) / sum(samples[index])) for index, own in served.items()
        }
        record["client_accuracy"] = {
            str(index): [float(score / count) for score, count in zip(own, samples[index], strict=True)]
            for index, own in served.items()
        }
    if done.unchanged:
        record["unchanged"] = done.unchanged
    if links is not None:
        epochs = {each.index: each.config.local_epochs for each in federation.stations}
        record["simulated_seconds"] = simulate_round(done.stations, size, links, epochs, updates, done.broadcast)
    return record


def train_loss(work: list[ClientWork]) -> float | None:
    """Mean cross-entropy of the clients' last local epochs by samples; None where no client returned a model."""
    losses = [(each.loss, each.samples) for each in work if each.loss is not None]
    return sum(loss * samples for loss, samples in losses) / sum(samples for _, samples in losses) if losses else None


def contributions_of(record: Mapping[str, Any]) -> dict[int, Fraction]:
    """The contributions of base stations that a line of the metrics file holds."""
    return {int(station): Fraction(value) for station, value in record["contribution"].items()}


class Board:
    """TensorBoard's event files of a run.

    Args:
        folder: to write them to.
        first_round: the global round that the run goes on with; what an earlier process wrote of it is dropped.

    Raises:
        TrainingError: TensorBoard is not installed, or the folder cannot be written.
    """

    def __init__(self, folder: Path, first_round: int = 0):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TrainingError(
                "TensorBoard is not installed: install it (pip install tensorboard), or leave --tensorboard out"
            ) from error
        self._folder = folder
        self._hook = threading.excepthook
        threading.excepthook = self._hear
        with on_disk(folder):
            self._writer: SummaryWriter = SummaryWriter(str(folder), purge_step=first_round)

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a round's numbers."""
        scalars = {
            name: record[name]
            for name in ("accuracy", "loss", "train_loss", "simulated_seconds", "seconds")
            if record.get(name) is not None
        }
        scalars |= {
            f"label/{name}": value for name, value in record.get("label_accuracy", {}).items() if value is not None
        }
        scalars |= {f"epsilon/{index}": value for index, value in record.get("epsilon", {}).items()}
        scalars |= {f"station/{index}": value for index, value in record.get("station_accuracy", {}).items()}
        for tier, traffic in record["traffic"].items():
            scalars[f"bytes/{tier}"] = traffic["down_bytes"] + traffic["up_bytes"]
        with on_disk(self._folder):
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, record["global_round"])
            self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        try:
            with on_disk(self._folder):
                self._writer.close()
        finally:
            threading.excepthook = self._hook

    def _hear(self, failed: threading.ExceptHookArgs) -> None:
        """Leave a full disk, which the writer's thread finds, to the next write, which raises it here."""
        if not isinstance(failed.exc_value, OSError):
            self._hook(failed)
