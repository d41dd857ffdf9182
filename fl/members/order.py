"""What the winner delivers to the base stations: everything that they need to train alone, each with its own data."""

from dataclasses import dataclass

from fl.store import canonical
from fl.store.artefacts import MOST_BYTES as MOST_ARTEFACT
from fl.store.errors import ViewError, shown
from fl.store.texts import DEFAULTS, StationsView

MOST_BYTES = 2**18
"""Of an order; what is longer is not read."""


@dataclass(frozen=True)
class Order:
    """The order for one round.

    Attributes:
        targets: the labels that the model tells apart, in the order of its outputs.
        text: what the proposal told base stations: the model, the settings of training, the digest to start from.

    Raises:
        ViewError: there are not as many labels as the text says, or one is named twice.
    """

    targets: tuple[str, ...]
    text: StationsView

    def __post_init__(self) -> None:
        if not all(isinstance(label, str) for label in self.targets):
            raise ViewError(f"the target labels of this order are {shown(self.targets)}")
        if not len(set(self.targets)) == len(self.targets) == self.text.label_count:
            raise ViewError(f"this order has {len(self.targets)} target labels, its text {self.text.label_count}")

    @property
    def most_bytes(self) -> int:
        """That a model or an update of this order has: 8 a parameter, and room for names."""
        return min(8 * self.text.parameters + 2**20, MOST_ARTEFACT)

    @property
    def rule(self) -> str:
        """How updates become a global model, in words."""
        return f"{self.text.strategy} with {self.text.rule}" if self.carries else self.text.rule

    @property
    def carries(self) -> bool:
        """Whether its strategy carries something from one global round to the next."""
        return bool(self.text.strategy != DEFAULTS["strategy"])

    def to_bytes(self) -> bytes:
        """The order as canonical JSON, the text in it as it was sealed to base stations."""
        return canonical.encode({"targets": list(self.targets), "text": self.text.to_bytes().decode()})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Order":
        """Read an order that anybody may have written.

        Raises:
            ViewError: it is none.
        """
        found = canonical.decode(data, "order", ("targets", "text"), MOST_BYTES)
        targets, text = found["targets"], found["text"]
        if not isinstance(targets, list) or not isinstance(text, str):
            raise ViewError(f"this is no order: {shown(found)}")
        return cls(tuple(targets), StationsView.from_bytes(text.encode()))
