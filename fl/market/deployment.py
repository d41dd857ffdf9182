"""The contract as its sources stand, and its deployment."""

import hashlib
from typing import Any

from ape.api import AccountAPI
from ape.contracts import ContractContainer
from ape.exceptions import ApeException
from filelock import FileLock

from fl.market.client import Market
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
    try:
        return Market(account.deploy(compiled(project)))
    except ApeException as error:
        raise MarketError(f"the contract cannot be deployed: {error}") from error
