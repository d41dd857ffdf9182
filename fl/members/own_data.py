"""A member's own images, as its member.yaml names them: what a base station trains on, or an owner judges by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fl.members.configuration import Data
from fl.members.order import Order
from fl.members.work import WorkError, WrongArtefact
from fl.training.data.dataset import Dataset, Samples, check_targets, labels_of, load_dataset
from fl.training.data.splits import split_iid
from fl.training.errors import TrainingError

_SEED = 0
"""Of the split of a known data set into parts, the same for everyone who takes one."""


@lru_cache(maxsize=4)
def _restricted(data: Data, targets: tuple[str, ...]) -> Dataset:
    return load_dataset(data.function or data.dataset, data.data_dir, targets=targets)


def _unusable(error: TrainingError) -> WorkError:
    return WorkError(f"the member's own data cannot be used: {error}")


@dataclass(frozen=True)
class OwnData:
    """The images of one member.

    Attributes:
        data: which those are.
    """

    data: Data

    def clients_of(self, order: Order, station: int) -> Sequence[Samples]:
        """The training images of each client.

        Raises:
            WorkError: the order is for other data, or there are too few images of its labels.
        """
        if order.text.dataset != self.data.dataset:
            raise WorkError(f"the order is for {order.text.dataset}, and this base station has {self.data.dataset}")
        own = self._part(self._of(order.targets).train)
        try:
            return [own.take(part) for part in split_iid(len(own), self.data.clients, _SEED)]
        except TrainingError as error:
            raise WorkError(str(error)) from error

    def test_of(self, targets: tuple[str, ...]) -> Samples:
        """The test images of some labels.

        Raises:
            WrongArtefact: these are not labels of the data.
            WorkError: the data cannot be used.
        """
        return self._part(self._of(targets).test)

    def _of(self, targets: tuple[str, ...]) -> Dataset:
        try:
            names = labels_of(self.data.function or self.data.dataset, self.data.data_dir)
        except TrainingError as error:
            raise _unusable(error) from error
        try:
            check_targets(names, targets)
        except TrainingError as error:
            raise WrongArtefact(f"there are no such data here: {error}") from error
        try:
            return _restricted(self.data, targets)
        except TrainingError as error:
            raise _unusable(error) from error

    def _part(self, samples: Samples) -> Samples:
        if self.data.part is None:
            return samples
        part, parts = self.data.part
        try:
            return samples.take(split_iid(len(samples), parts, _SEED)[part])
        except TrainingError as error:
            raise WorkError(f"part {part} of {parts} of the member's own data is empty: {error}") from error
