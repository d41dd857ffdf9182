"""Members whose accounts are contracts, for the tests of attacks."""

from collections.abc import Callable
from typing import Any

import pytest

from analysis.devnode.codec import Codec
from analysis.devnode.market import Market
from analysis.devnode.sources import compile_contract
from fl.market.deployment import abi_of
from tests.contracts.attacks.contract_member import ContractMember

ATTACKERS = "contracts/test/attackers"


@pytest.fixture
def runtime_code() -> Callable[[str], bytes]:
    """Deployed code of a hostile receiver, by name."""
    return lambda name: compile_contract(f"{ATTACKERS}/HostileReceivers.sol", name).runtime


@pytest.fixture
def make_contract(market: Market, compiled: Any) -> Callable[[str], ContractMember]:
    """Turns an account into a `ContractMember`; it keeps its ether and its place in every round."""
    member = compile_contract(f"{ATTACKERS}/ContractMember.sol")
    codec = Codec([*abi_of(compiled), *member.abi])

    def make(account: str) -> ContractMember:
        market.chain.set_code(account, member.runtime)
        return ContractMember(market, account, codec)

    return make
