"""Members whose accounts are contracts, for the tests of attacks."""

from collections.abc import Callable
from typing import Any

import pytest

from fl.devnode.codec import Codec
from fl.devnode.market import Market
from tests.contracts.attacks.contract_member import ContractMember, abi_of


@pytest.fixture
def runtime_code(project: Any, compiled: Any) -> Callable[[str], bytes]:
    """Deployed code of a contract of this project, by name; `compiled` has compiled all of them."""

    def code(name: str) -> bytes:
        return bytes.fromhex(str(getattr(project, name).contract_type.runtime_bytecode.bytecode).removeprefix("0x"))

    return code


@pytest.fixture
def make_contract(
    market: Market, project: Any, compiled: Any, runtime_code: Callable[[str], bytes]
) -> Callable[[str], ContractMember]:
    """Turns an account into a `ContractMember`; it keeps its ether and its place in every round."""
    codec = Codec([*abi_of(project.HCFL), *abi_of(project.ContractMember)])

    def make(account: str) -> ContractMember:
        market.chain.set_code(account, runtime_code("ContractMember"))
        return ContractMember(market, account, codec)

    return make
