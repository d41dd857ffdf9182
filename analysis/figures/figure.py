"""What every figure is made of: settings, a measurement, a drawing, and what its caption claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Data: TypeAlias = Mapping[str, Any]
"""What a figure shows, as JSON holds it."""


class Setting(StrEnum):
    """How large a measurement is; its value names the folder of the results."""

    QUICK = "quick"
    CPU = "cpu"  # of figures that train: the paper's data and a small network, for a machine without a GPU
    FULL = "full"


class FigureError(Exception):
    """A figure that cannot be made, and what to do."""


@dataclass(frozen=True)
class Claim:
    """A sentence of a figure's caption, and whether the data bear it out."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Request:
    """How a figure was asked for.

    Attributes:
        quick: minutes on 2 cores instead of the full setting.
        seed: every draw follows from it.
        data_dir: CIFAR-10 as a folder (see `load_dataset`); None: downloaded where it is needed.
        device: where to train: "cpu", "cuda" or "auto".
        say: told in one line how far the measurement is.
    """

    quick: bool
    seed: int = 0
    data_dir: str | None = None
    device: str = "auto"
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Figure:
    """A figure of the paper or one of ours.

    Attributes:
        name: of the command and of its files.
        title: in a line.
        measure: the data, from a request; it holds the settings under "settings".
        draw: a drawing of the data.
        claims: what the caption says about the data.
        trains: whether it trains models; then there is a setting for machines without a GPU.
    """

    name: str
    title: str
    measure: Callable[[Request], Data]
    draw: Callable[[Data], Drawing]
    claims: Callable[[Data], list[Claim]]
    trains: bool = False

    def setting(self, request: Request) -> Setting:
        """The setting that a request means: the full one of a figure that trains is for a GPU.

        Raises:
            FigureError: the device is not there.
        """
        if request.quick:
            return Setting.QUICK
        return Setting.CPU if self.trains and not _on_gpu(request.device) else Setting.FULL


def _on_gpu(device: str) -> bool:
    from fl.training.errors import TrainingError
    from fl.training.model.runtime import pick_device

    try:
        return pick_device(device).type == "cuda"
    except TrainingError as error:
        raise FigureError(str(error)) from None
