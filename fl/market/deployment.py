"""The contract as its sources stand, and its deployment."""

import hashlib
from typing import Any

from ape.api import AccountAPI, ProviderAPI
from ape.contracts import ContractContainer
from eth_utils import is_address, to_checksum_address
from filelock import FileLock

from fl.market.client import Market, asking
from fl.market.refusals import MarketError


def compiled(project: Any) -> ContractContainer:
    """`HCFL`, compiled anew if any source or setting has changed since it last was.

    Ape keeps a contract's old code where only a file that it imports has changed.

    Args:
        project: ape's local project.
    """
    settings = [project.path / name for name in ("ape-config.yaml", "foundry.toml", "package-lock.json")]
    # Without what `ape-config.yaml` leaves out, and the copies of imports that ape keeps among the sources.
    ours = sorted(project.sources.paths)
    state = hashlib.sha256(b"".join(source.read_bytes() for source in [*ours, *settings])).hexdigest()
    stamp = project.path / ".build" / "sources.sha256"
    stamp.parent.mkdir(exist_ok=True)
    # Of processes that start at once, as the tests' do, one compiles and the others wait for it.
    with FileLock(stamp.with_suffix(".lock")):
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
            project.load_contracts(use_cache=False)
            stamp.write_text(state, encoding="utf-8")
        return project.HCFL


def abi_of(contract: ContractContainer) -> list[dict[str, Any]]:
    """A contract's interface, as JSON holds it."""
    return [entry.model_dump(by_alias=True, mode="json") for entry in contract.contract_type.abi]


def deploy(project: Any, account: AccountAPI) -> Market:
    """Deploy HCFL.

    Raises:
        MarketError: the account cannot, with the reason.
    """
    contract = compiled(project)
    with asking("deploy"):
        return Market(account.deploy(contract))


def check_address(address: str) -> None:
    """Refuse what is not an address.

    Raises:
        MarketError: it is none.
    """
    if not is_address(address):
        raise MarketError(f"{address} is no address: 0x and 40 hexadecimal digits")


def attach(project: Any, provider: ProviderAPI, address: str) -> Market:
    """HCFL as it was deployed before.

    Raises:
        MarketError: it is not there, with the reason.
    """
    check_address(address)
    contract, checksummed = compiled(project), to_checksum_address(address)
    with asking("read the contract"):
        code = bytes(provider.get_code(checksummed))
    if not code:
        raise MarketError(f"there is no contract at {checksummed}: name the node that has it with --network")
    if code != bytes(contract.contract_type.get_runtime_bytecode()):
        raise MarketError(f"the contract at {checksummed} is not HCFL as the sources here stand: deploy it anew")
    with asking("read the contract"):
        return Market(contract.at(checksummed, fetch_from_explorer=False))
