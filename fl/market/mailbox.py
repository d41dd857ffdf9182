"""A shared folder in which members leave each other encrypted texts and their key cards.

Nothing in it is trusted: cards are signed, texts are encrypted and held against the digests on chain.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fl.market.views import EncryptionKey, KeyCard, ViewError, seal


@dataclass(frozen=True)
class Mailbox:
    """Key cards in `cards/<account>.json`, texts in `<account>/<name>.ecies`."""

    root: Path

    def publish(self, card: KeyCard) -> None:
        """Leave one's key card for the others."""
        card.verify()
        path = self._card_path(card.account)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(card)), encoding="utf-8")

    def send(self, account: str, name: str, text: bytes) -> None:
        """Leave a text for a member.

        Raises:
            ViewError: it has published no key card, or one that it did not sign.
        """
        path = self._text_path(account, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(seal(self._card(account), text))

    def read(self, account: str, name: str, key: EncryptionKey) -> bytes:
        """Decrypt a text that was left for a member.

        Raises:
            ViewError: there is none, or it is encrypted to another key.
        """
        try:
            return key.open(self._text_path(account, name).read_bytes())
        except FileNotFoundError:
            raise ViewError(f"{name} has not been sent to {account}: ask its sender") from None

    def _card(self, account: str) -> KeyCard:
        try:
            document = json.loads(self._card_path(account).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ViewError(f"{account} has published no encryption key: it cannot be sent anything") from None
        card = KeyCard(**document)
        if card.account != account:
            raise ViewError(f"the key card of {account} names {card.account}")
        card.verify()
        return card

    def _card_path(self, account: str) -> Path:
        return self.root / "cards" / f"{account}.json"

    def _text_path(self, account: str, name: str) -> Path:
        return self.root / account / f"{name}.ecies"
