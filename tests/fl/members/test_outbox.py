"""Transactions sent by way of the journal, on a real node."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.devnode.chain import Chain
from fl.market.client import Market
from fl.market.refusals import Never
from fl.members.journal import Journal, State
from fl.members.outbox import Journaled, Settings

QUICK = Settings(pause=0.02, patience=0.2, silence=1, longest=10)


@pytest.fixture
def account(accounts: Any) -> Any:
    return accounts[1]


@pytest.fixture
def journal(market: Any, node: Chain, account: Any, tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite", str(account.address), node.chain_id, market.address) as journal:
        yield journal


def test_send__happy__is_final(market: Any, journal: Journal, account: Any, chain: Any) -> None:
    client = Market.at(market.address, Journaled(journal, chain.provider, QUICK))
    receipt = client.deposit(account, 5)
    assert receipt.txn_hash
    client.deposit(account, 5)
    assert client.free_balance(str(account.address)) == 10
    done = journal.transactions()
    assert [each.state for each in done] == [State.DONE] * 2
    assert done[0].block == receipt.block_number
    with pytest.raises(Never, match="10 wei are free") as refused:
        client.withdraw(account, 11, str(account.address))
    assert refused.value.name == "InsufficientBalance"
