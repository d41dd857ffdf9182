"""The client of a deployment that it knows by its address alone."""

import json
from typing import Any

import pytest

from analysis.devnode.rounds import CreateRound
from fl.market.client import ABI, Market
from fl.market.deployment import abi_of
from fl.market.history import rebuild
from fl.market.refusals import MarketError
from fl.market.terms import Phase, Role, Stage, Status
from tests.conftest import OWNER_BIDS, STATION_BIDS

NOBODY = "0x" + "11" * 20


def test_abi__committed__is_that_of_the_sources(compiled: Any) -> None:
    assert json.loads(ABI.read_text(encoding="utf-8")) == abi_of(compiled), "write it: `ape run abi`"


def test_at__a_deployment__reads_its_round(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    market = Market.at(round_.market.address)
    state = market.round_state(round_.id)
    assert (state.status, state.phase, state.selected) == (Status.TRAINING, Phase.TRAIN, 1)
    record = rebuild(market.events(round_.id))
    assert [member.bids(2) for member in record.side(Role.OWNER)] == [list(bids) for bids in OWNER_BIDS]
    assert [member.bids(2) for member in record.side(Role.BASE_STATION)] == [list(bids) for bids in STATION_BIDS]
    states = [market.member_state(round_.id, account) for account in record.members]
    assert {state.stage for state in states} == {Stage.REVEALED}


def test_at__a_refused_call__is_told_in_words(create_round: CreateRound, accounts: Any) -> None:
    round_ = create_round()
    with pytest.raises(MarketError, match=rf"commitBid: this phase of round {round_.id} opens at \d+"):
        Market.at(round_.market.address).commit_bid(accounts[0], round_.id, b"\1" * 32)


@pytest.mark.parametrize(("address", "reason"), [(NOBODY, "no contract"), ("0x12", "0x12"), ("nonsense", "nonsense")])
def test_at__no_deployment__is_refused_in_a_line(node: Any, address: str, reason: str) -> None:
    with pytest.raises(MarketError, match=reason) as refusal:
        Market.at(address)
    assert "\n" not in str(refusal.value)
