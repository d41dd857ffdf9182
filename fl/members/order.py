"""What the winner delivers to the base stations: everything that they need to train alone, each with its own data."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from fl.store.errors import ViewError
from fl.store.texts import StationsView

MOST_BYTES = 2**20
"""An order is no larger; a text is not either."""


@dataclass(frozen=True)
class Order:
    """The order for one round.

    Attributes:
        targets: the labels that the model tells apart, in the order of its outputs.
        text: what the proposal told base stations: the model, the settings of training, the digest to start from.
    """

    targets: tuple[str, ...]
    text: StationsView

    def to_bytes(self) -> bytes:
        """The order as canonical JSON."""
        document = {"targets": list(self.targets), "text": asdict(self.text)}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Order":
        """Read an order.

        Raises:
            ViewError: it is none.
        """
        if len(data) > MOST_BYTES:
            raise ViewError(f"an order has at most {MOST_BYTES:,} bytes, this one {len(data):,}")
        try:
            document: Any = json.loads(data)
            targets, text = document["targets"], document["text"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ViewError(f"this is no order: {type(error).__name__}") from error
        if not isinstance(targets, list) or not all(isinstance(label, str) for label in targets):
            raise ViewError(f"the target labels of this order are {targets!r:.200}")
        view = StationsView.from_bytes(json.dumps(text).encode())
        if len(set(targets)) != view.label_count or len(targets) != view.label_count:
            raise ViewError(f"this order has {len(targets)} target labels, its text speaks of {view.label_count}")
        return cls(tuple(targets), view)
