"""Deploys compiled contracts on a development node."""

from typing import Any

from eth_utils import to_checksum_address

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.chain import TRANSACTION_GAS, Chain, RpcError
from analysis.devnode.codec import Codec
from analysis.devnode.market import Market
from analysis.devnode.sources import Artefact


def artefact_of(contract: Any) -> Artefact:
    """What ape has compiled, e.g. `fl.market.deployment.compiled(project)`."""
    kind = contract.contract_type
    abi = tuple(entry.model_dump(by_alias=True, mode="json") for entry in kind.abi)
    return Artefact(kind.name, abi, bytes(kind.get_deployment_bytecode()), bytes(kind.get_runtime_bytecode()))


def deploy(chain: Chain, artefact: Artefact) -> Market:
    """Deploy a contract without constructor arguments.

    Raises:
        RpcError: it cannot be deployed.
    """
    sender = actor("deployer")
    chain.set_balance(sender, FUNDS)
    transaction = {"from": sender, "data": "0x" + artefact.code.hex(), "gas": hex(TRANSACTION_GAS), "gasPrice": "0x0"}
    mined = chain.rpc("eth_sendTransactionSync", transaction)
    if mined["status"] != "0x1":
        raise RpcError(f"{artefact.name} is not deployed: the transaction reverted")
    return Market(chain, to_checksum_address(mined["contractAddress"]), Codec(artefact.abi))
