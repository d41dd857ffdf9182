"""How a call of the contract becomes a mined transaction."""

from typing import Protocol

from ape.api import AccountAPI, ReceiptAPI, TransactionAPI


class Outbox(Protocol):
    """What `Market` sends with."""

    def send(self, account: AccountAPI, call: str, transaction: TransactionAPI) -> ReceiptAPI:
        """Have a transaction mined.

        Args:
            account: that signs it.
            call: of the contract, for messages.
            transaction: receiver, data and value; the outbox fills in the rest.

        Returns:
            Its receipt; it succeeded.
        """


class Direct:
    """Ape's way: signed, sent once, and waited for; for development nodes, which answer at once."""

    def send(self, account: AccountAPI, call: str, transaction: TransactionAPI) -> ReceiptAPI:
        """Have a transaction mined, as `Outbox` says."""
        return account.call(transaction)
