"""For every test, hypothesis' profile; for those of the contract a node, the contract, actors, rounds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

import pytest
from ape import project
from hypothesis import settings

from analysis.devnode.actors import FUNDS, actor, seats
from analysis.devnode.chain import Chain
from analysis.devnode.codec import Codec
from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound, Opening
from analysis.devnode.rounds import create_round as create_on_chain
from fl.market.connection import free_port
from fl.market.deployment import abi_of
from fl.market.deployment import compiled as compile_sources
from fl.market.membership import Entry
from fl.market.terms import GWEI, Deadlines, Policy, Role, RoundTerms
from tests.support.assertions import assert_conserved

# An example that goes through the node has no steady duration.
settings.register_profile("hcfl", deadline=None)
settings.load_profile("hcfl")

OWNERS = ("alice", "bob", "carol", "dave", "erin", "frank")
STATIONS = ("north", "south", "east", "west", "harbour", "airport")

# The round that most tests play, gwei a model. With theta 1/2 and the last station as claimant model 1, bob's, is
# selected (scores 57 and 132); carol and north are pivotal. `test_settle.py` has every amount, worked out by hand.
OWNER_BIDS = ((30, 20), (30, 10), (12, 60))
STATION_BIDS = ((28, 2), (1, 14), (1, 14))
HALF_BPS = (5_000, 5_000)  # a range of one point: theta is 1/2
HALF = 2**63  # its numerator
PHASE_SECONDS = 100


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names policies and statuses in the tests' names by word, not by number."""
    return val.name.lower() if isinstance(val, Enum) else None


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection_finish() -> Iterator[None]:
    """Has ape start its node where one can listen: it draws a port that may be another's, and then gives up."""
    foundry = project.config.get_config("foundry")
    drawn = foundry.host
    foundry.host = f"http://127.0.0.1:{free_port()}"
    try:
        yield
    finally:
        foundry.host = drawn


@pytest.fixture(scope="module")
def node(chain: Any) -> Chain:
    """The node that ape runs."""
    node = Chain(str(chain.provider.web3.provider.endpoint_uri))
    node.impersonate_anyone()
    return node


@pytest.fixture(scope="session")
def compiled(project: Any) -> Any:
    """`HCFL` as its sources stand."""
    return compile_sources(project)


@pytest.fixture(scope="module")
def deployment(node: Chain, compiled: Any, accounts: Any) -> Market:
    """The contract, deployed through ape; `market` takes back what a test does to it."""
    deployed = accounts[0].deploy(compiled)
    market = Market(node, deployed.address, Codec(abi_of(compiled)))
    named = {name: actor(name) for name in (*OWNERS, *STATIONS, "stranger")}
    market.introduce(**named)
    for account in named.values():
        node.set_balance(account, FUNDS)
    return market


@pytest.fixture
def market(deployment: Market) -> Iterator[Market]:
    """The contract without rounds; time passes by `travel_to` alone.

    After the test every wei must be accounted for.
    """
    with untouched(deployment):
        yield deployment
        assert_conserved(deployment)


@contextmanager
def untouched(deployment: Market) -> Iterator[None]:
    """Takes back what is done to the contract inside; the clock stands still there."""
    with deployment.chain.snapshot():
        deployment.chain.freeze_clock()
        try:
            yield
        finally:
            deployment.chain.release_clock()


@pytest.fixture
def create_round(market: Market) -> CreateRound:
    """Creates rounds: `create_round(owner_bids=..., owner_policy=...)`. Nobody has joined yet."""
    return rounds_on(market)


def rounds_on(market: Market) -> CreateRound:
    """What `create_round` is, for a fixture of wider scope; the default terms of all rounds are here."""

    def create(
        owner_bids: Sequence[Sequence[int]] = OWNER_BIDS,
        station_bids: Sequence[Sequence[int]] = STATION_BIDS,
        *,
        owner_points: Sequence[int] | None = None,
        proposers: Sequence[int] = (0, 1),
        owner_policy: Policy = Policy.EQUAL,
        max_owner_bid: int = 100,
        max_station_bid: int = 50,
        bond: int = 200 * GWEI,
        contribution_stake: int = 0,
        surplus_bps: tuple[int, int] | None = None,
        threshold_bps: int = 5_000,
        tolerance_bps: int = 300,
        max_models: int = 64,
        strangers: Sequence[Entry] = (),
        opening: Opening | None = None,
        claimant: int | None = -1,
    ) -> LiveRound:
        """`claimant` is the index of the station that will be drawn, None: left to the draw."""
        terms = RoundTerms(
            max_owner_bid=max_owner_bid,
            max_station_bid=max_station_bid,
            bond=bond,
            contribution_stake=contribution_stake,
            deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
            owner_policy=owner_policy,
            surplus_bps=surplus_bps or (HALF_BPS if owner_policy is Policy.EQUAL else (0, 0)),
            threshold_bps=threshold_bps,
            tolerance_bps=tolerance_bps,
            max_models=max_models,
        )
        stations = seats(market, Role.BASE_STATION, STATIONS, station_bids, None)
        return create_on_chain(
            market,
            seats(market, Role.OWNER, OWNERS, owner_bids, owner_points),
            stations,
            terms,
            proposers=proposers,
            strangers=strangers,
            opening=opening,
            claimant=None if claimant is None else stations[claimant],
        )

    return create


@pytest.fixture
def stranger() -> str:
    """Somebody with ether who is no member of any round."""
    return actor("stranger")
