"""The node that a round is played on, and the accounts that its members play with."""

from ape import accounts
from ape.api import AccountAPI, ProviderAPI, SubprocessProvider, TestProviderAPI

from fl.crowdfunding.settings import SettingsError
from fl.market.client import asking
from fl.market.refusals import MarketError

FUNDS = 100 * 10**18
"""Wei that an account beyond those of the node's own is given."""

NEEDED = 10**18
"""Wei that an account must have: far more than a lock and the gas of a round."""


def check_network(provider: ProviderAPI) -> None:
    """Refuse a network that is not for development, before anything is asked of it.

    Raises:
        SettingsError: it is one.
    """
    if provider.network.name != "local" and not provider.network.is_adhoc:
        raise SettingsError(
            "this command plays every member with the test accounts of a development node, and "
            f"{provider.network.name} is none: choose --network ethereum:local:foundry, or the address of an anvil node"
        )


def accounts_on(provider: ProviderAPI, count: int) -> list[AccountAPI]:
    """Ape's test accounts, in their order, all with ether.

    A node that this command has started is asked to give ether to those that it does not know; a node that was there
    is somebody's.

    Raises:
        MarketError: not all of them have ether.
    """
    known = accounts.test_accounts
    members = [known[index] for index in range(min(count, len(known)))]
    members += [known.generate_test_account() for _ in range(count - len(members))]
    started = isinstance(provider, SubprocessProvider) and provider.process is not None
    poor = 0
    for account in members:
        with asking("fund the members"):
            if provider.get_balance(account.address) >= NEEDED:
                continue
            if started and isinstance(provider, TestProviderAPI):
                provider.set_balance(account.address, FUNDS)
            else:
                poor += 1
    if poor:
        raise MarketError(
            f"the round needs {count} of ape's test accounts with an ether each, and {poor} have none on this node: "
            f"start it with more (anvil --accounts {count}), or leave --network out"
        )
    return members
