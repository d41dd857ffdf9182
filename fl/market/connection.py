"""The node that a command speaks to."""

import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from ape import accounts
from ape.api import AccountAPI, ProviderAPI, TransactionAPI
from ape.exceptions import ApeException
from ape.logging import LogLevel, logger
from ape.types import AddressType, MessageSignature
from ape_accounts import KeyfileAccount
from eth_account.messages import SignableMessage
from eth_utils import is_checksum_address

from fl.market.client import asking
from fl.market.refusals import MarketError


@contextmanager
def connected(provider: ProviderAPI) -> Iterator[ProviderAPI]:
    """Connect to the node, or start it; what was started is ended.

    Raises:
        MarketError: it cannot be used, or is of another chain.
    """
    logger.set_level(LogLevel.ERROR)
    if getattr(provider.settings, "host", None) == "auto":
        provider.provider_settings["host"] = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        try:
            # Where this process has spoken to the node before, ape goes on with that connection.
            active = stack.enter_context(provider.network.use_provider(provider, disconnect_on_exit=True))
        except (ApeException, OSError) as error:
            said = str(error).splitlines()[0]
            raise MarketError(f"--network {provider.network_choice} cannot be used: {said}") from error
        with asking("ask for the chain's id"):
            found, expected = int(str(active.make_request("eth_chainId", [])), 0), active.chain_id
        if found != expected:
            raise MarketError(
                f"the node has chain id {found}, and {provider.network_choice} means {expected}: "
                "name the node by its address alone, as in --network http://127.0.0.1:8545"
            )
        yield active


def free_port() -> int:
    """One that a node can listen at.

    Ape draws among those of outgoing connections, where a node does not start for a minute after one has been closed.
    """
    for port in random.sample(range(20_000, 32_768), 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise MarketError("no port of this machine is free between 20,000 and 32,767: end what listens there")


def named(provider: ProviderAPI | None) -> ProviderAPI:
    """The node that a user has named.

    Raises:
        MarketError: none.
    """
    if provider is None:
        raise MarketError("no node is named: --network http://127.0.0.1:8545, or another of `ape networks list`")
    return provider


def signing(account: AccountAPI) -> Callable[[SignableMessage], bytes]:
    """How one of ape's accounts signs a message: r, s and v in 65 bytes.

    Raises:
        MarketError: (the function) it declined.
    """

    def sign(message: SignableMessage) -> bytes:
        signature = account.sign_message(message)
        if signature is None:
            raise MarketError(f"{account.address} declined to sign")
        return bytes(signature.encode_rsv())

    return sign


class InWallet(AccountAPI):  # type: ignore[misc]  # of a package without types
    """An account whose key a wallet holds: what needs no signature goes on, what needs one is told where to go."""

    raw_address: AddressType

    @property
    def address(self) -> AddressType:
        """As it was named."""
        return self.raw_address

    def sign_message(self, msg: Any, **signer_options: Any) -> MessageSignature:
        """Refused."""
        raise self._elsewhere()

    def sign_transaction(self, txn: TransactionAPI, **signer_options: Any) -> TransactionAPI:
        """Refused."""
        raise self._elsewhere()

    def _elsewhere(self) -> MarketError:
        return MarketError(
            f"{self.address} was named by its address, and no key of it is here: take this step with its wallet, from "
            "the page of `ape run explorer`, or name one of `ape accounts list`"
        )


def account_named(alias: str | None) -> AccountAPI:
    """One of ape's accounts.

    The passphrase of a key file is asked for when it signs, unless `APE_ACCOUNTS_<alias>_PASSPHRASE` holds it.

    Args:
        alias: its name, or TEST::<number> for one of the test accounts; or an address, whose key is in a wallet.

    Raises:
        MarketError: there is none of that name.
    """
    if alias is None:
        raise MarketError("no account is named: --account ALIAS, one of `ape accounts list`")
    if alias.upper().startswith("TEST::"):
        number, known = alias[6:], accounts.test_accounts
        if not number.isdecimal() or int(number) >= len(known):
            raise MarketError(f"{alias} is no test account: TEST::0 … TEST::{len(known) - 1}")
        return known[int(number)]
    if is_checksum_address(alias):
        return InWallet(raw_address=alias)
    if alias not in accounts.aliases:
        raise MarketError(
            f"there is no account {alias}: one of `ape accounts list`, or make one with `ape accounts generate`"
        )
    account = accounts.load(alias)
    # A passphrase in the environment is there so that nobody need type it.
    if f"APE_ACCOUNTS_{alias}_PASSPHRASE" in os.environ and isinstance(account, KeyfileAccount):
        logger.set_level(LogLevel.ERROR)  # ape warns of what is meant
        account.set_autosign(True)
    return account
