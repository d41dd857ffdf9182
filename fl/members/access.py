"""Where and as whom a command acts: what its options say, and for the rest what member.yaml says."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ape.api import AccountAPI, ProviderAPI

from fl.market import connection, nodes
from fl.market.client import Market
from fl.market.deployment import Deployment, located
from fl.market.membership_file import MOST_BYTES, MembershipList
from fl.market.refusals import MarketError
from fl.members.configuration import MemberConfiguration
from fl.store.errors import Missing
from fl.store.files import Files
from fl.store.signed import Domain


@dataclass(frozen=True)
class Access:
    """What a command was told.

    Attributes:
        provider: a node that was named, not yet connected.
        contract: address, or path of a deployment's record.
        account: ape's alias.
        membership: path of a membership list.
        configuration: says what none of these does.
    """

    provider: ProviderAPI | None = None
    contract: str | None = None
    account: str | None = None
    membership: Path | None = None
    configuration: MemberConfiguration | None = None

    def check(self) -> None:
        """Refuse what can be seen to be wrong before a node is asked.

        Raises:
            MarketError: no node or no contract is named, or it is neither an address nor a record.
        """
        if self.provider is None and self.configuration is None:
            connection.named(None)
        self._located()

    @contextmanager
    def market(self) -> Iterator[Market]:
        """The contract, on a connected node.

        Raises:
            MarketError: there is none, or the record is of another chain.
            NoNode: no node of member.yaml can be used.
        """
        address, record = self._located()
        with self._connected(record) as provider:
            if record is not None and record.chain_id != provider.chain_id:
                raise MarketError(
                    f"{self._contract()} is about chain {record.chain_id}, and the node is on chain {provider.chain_id}"
                )
            yield Market.at(address, first_block=None if record is None else record.block)

    @contextmanager
    def domain(self) -> Iterator[Domain]:
        """The deployment that a statement is made for; a record is believed without a node."""
        address, record = self._located()
        if record is not None:
            yield Domain(record.chain_id, address)
        else:
            with self.market() as market:
                yield Domain(market.chain_id, market.address)

    def signer(self) -> AccountAPI:
        """The account that signs.

        Raises:
            MarketError: there is none.
        """
        return connection.account_named(self.alias)

    @property
    def alias(self) -> str | None:
        """Its name; None: nobody said."""
        return self.configuration.account if self.account is None and self.configuration else self.account

    def members(self, domain: Domain) -> MembershipList | None:
        """The membership list, if there is one; of this deployment, and signed by its maker.

        Raises:
            MembershipError: the one that was named is not there, or no such list.
            StoreError: it is in a store that cannot be read.
        """
        read = self._read_list()
        if read is not None:
            read.verify(domain)
        return read

    def _read_list(self) -> MembershipList | None:
        if self.membership is not None:
            return MembershipList.read(self.membership)
        if self.configuration is None:
            return None
        named = self.configuration.membership
        if "://" in named:
            return _from_store(named, self.configuration)
        return MembershipList.read(Path(named)) if Path(named).exists() else None

    def _contract(self) -> str:
        named = self.configuration.contract if self.contract is None and self.configuration else self.contract
        if named is None:
            raise MarketError("no contract is named: --contract with its address or deployments/<chain id>.json")
        return named

    def _located(self) -> tuple[str, Deployment | None]:
        return located(self._contract())

    def _connected(self, record: Deployment | None) -> AbstractContextManager[ProviderAPI]:
        if self.provider is None and self.configuration is not None:
            return nodes.connected(self.configuration.nodes, None if record is None else record.chain_id)
        return connection.connected(connection.named(self.provider))


def _from_store(address: str, configuration: MemberConfiguration) -> MembershipList | None:
    folder, _, name = address.rpartition("/")
    try:
        return MembershipList.from_bytes(Files(folder, configuration.store_options).read(name, MOST_BYTES))
    except Missing:
        return None
