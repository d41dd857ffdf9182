"""Two accounts, and what they sign."""

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.local import LocalAccount

from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import Domain, Sign

ALICE: LocalAccount = Account.from_key("0x" + "11" * 32)
BOB: LocalAccount = Account.from_key("0x" + "22" * 32)
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DOMAIN = Domain(31_337, CONTRACT)


def signing(account: LocalAccount) -> Sign:
    """How an account signs."""

    def sign(message: SignableMessage) -> bytes:
        return bytes(account.sign_message(message).signature)

    return sign


def card_of(account: LocalAccount, key: EncryptionKey, claimed: str | None = None) -> KeyCard:
    """A key card that an account signs, for itself or for the address it claims."""
    address = claimed or account.address
    message = encode_defunct(text=KeyCard.statement(address, key.public_key))
    return KeyCard(address, key.public_key, signing(account)(message).hex())
