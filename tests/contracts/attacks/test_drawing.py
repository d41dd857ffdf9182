"""The draw: callers that choose, block producers that choose, and chains without randomness to draw from."""

from contextlib import suppress
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.anvil import anvil
from analysis.devnode.chain import Reverted
from analysis.devnode.codec import Codec
from analysis.devnode.deployment import deploy
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import CreateRound, LiveRound
from analysis.devnode.sources import compile_contract
from fl.market.deployment import abi_of
from fl.market.terms import DRAW_DELAY, Phase
from tests.conftest import OWNERS, STATIONS, rounds_on

Q = 2**64
GRINDER = "contracts/test/attackers/DrawGrinder.sol"


@pytest.fixture
def grinder(market: Market, compiled: Any) -> Market:
    """A contract that takes a draw back unless it likes it."""
    attacker = compile_contract(GRINDER)
    own = Market(market.chain, actor("grinder"), Codec([*abi_of(compiled), *attacker.abi]))
    market.chain.set_code(own.address, attacker.runtime)
    return own


def grinding(grinder: Market, round_: LiveRound, ordinal: int) -> Call:
    return grinder.call("drawOnly", round_.market.address, round_.id, ordinal, sender=actor("stranger"))


def due(create_round: CreateRound) -> LiveRound:
    """A round in the first second of its draw."""
    return create_round().committed().wait_for("commit", DRAW_DELAY)


def now_drawn(round_: LiveRound) -> int:
    """The ordinal that a call in the next block draws; taken back."""
    with round_.market.chain.snapshot():
        ordinal: int = round_.draw().send().event("ClaimantDrawn")["ordinal"]
    return ordinal


def test_draw__ground_by_a_contract__one_honest_call_in_the_block_decides(
    create_round: CreateRound, grinder: Market
) -> None:
    """What it takes back it cannot keep from others: one of them draws in the same block, and there is one draw."""
    round_ = due(create_round)
    ordinal = now_drawn(round_)
    liked = ordinal % 3 + 1
    with round_.market.chain.snapshot(), pytest.raises(Reverted, match="DoesNotSuit"):
        grinding(grinder, round_, liked).send()
    round_.draw().send()
    assert round_.state.claimant == ordinal != liked
    grinding(grinder, round_, liked).reverts_with("AlreadyDrawn", roundId=round_.id)


def test_draw__nobody_else_calls__a_contract_waits_for_the_claimant_that_it_likes(
    create_round: CreateRound, grinder: Market
) -> None:
    """Not stopped (contracts/attacks.md), where every other member lets the window begin without a call."""
    for liked in (1, 2, 3):
        with create_round().market.chain.snapshot():
            round_ = due(create_round)
            for _ in range(200):  # more are needed once in 10^35 times
                with suppress(Reverted):
                    grinding(grinder, round_, liked).send()
                    break
            assert round_.state.claimant == liked


def test_draw__block_producer__has_one_draw_a_block_that_it_leaves_out(create_round: CreateRound) -> None:
    """Not stopped (contracts/attacks.md): a call left out of a block draws in a later one."""
    round_ = due(create_round)
    drawn = []
    for _ in range(40):
        drawn.append(now_drawn(round_))
        round_.market.chain.rpc("evm_mine")
    assert set(drawn) == {1, 2, 3}, "the more blocks it has in a row, the more it can choose from"
    assert round_.state.phase == Phase.DRAW, "until the window ends, or one of them lets a call in"


# ── where there is no randomness ──


def from_source(source: int, round_: LiveRound) -> tuple[int, int]:
    """Theta's numerator in the round's range and the claimant's ordinal, as `IHCFL` says."""
    c = int.from_bytes(keccak(encode(["uint256", "uint256"], [source, round_.id])), "big")
    lo, hi = round_.terms.surplus_bps
    return (lo * Q + (hi - lo) * (c % Q)) // 10_000, (c >> 64) % 2**96 % 3 + 1


def drawn_with(round_: LiveRound, prevrandao: int) -> tuple[tuple[int, int], int]:
    """What a call draws in a block with this `prevrandao`, and the hash of the block before; simulated."""
    call, chain = round_.draw(), round_.market.chain
    data = round_.market.codec.call(call.function, call.arguments)
    transaction = {"from": call.sender, "to": round_.market.address, "input": data}
    newest = chain.rpc("eth_getBlockByNumber", "latest", False)
    block = {"number": hex(int(newest["number"], 16) + 1), "prevRandao": f"0x{prevrandao:064x}"}
    request = {"blockStateCalls": [{"blockOverrides": block, "calls": [transaction]}]}
    (log,) = chain.rpc("eth_simulateV1", request, "latest")[0]["calls"][0]["logs"]
    event = round_.market.codec.event(log).values
    return (event["thetaNumerator"], event["ordinal"]), int(newest["hash"], 16)


@pytest.mark.parametrize("prevrandao", [0, 1, 2, 25 * 10**16, 2**64 - 1, 2**64])
def test_draw__prevrandao_at_most_2_to_the_64__from_the_hash_of_the_block_before(
    create_round: CreateRound, prevrandao: int
) -> None:
    """A constant, or a private chain's difficulty, would have been known when bids were made."""
    round_ = create_round(surplus_bps=(0, 9_999)).committed().wait_for("commit", DRAW_DELAY)
    drawn, before = drawn_with(round_, prevrandao)
    assert drawn == from_source(before, round_) != from_source(prevrandao, round_)


@pytest.mark.parametrize("prevrandao", [2**64 + 1, 2**255, 2**256 - 1])
def test_draw__prevrandao_above_2_to_the_64__from_it_alone(create_round: CreateRound, prevrandao: int) -> None:
    round_ = create_round(surplus_bps=(0, 9_999)).committed().wait_for("commit", DRAW_DELAY)
    drawn, before = drawn_with(round_, prevrandao)
    assert drawn == from_source(prevrandao, round_) != from_source(before, round_)


def test_draw__chain_before_prevrandao__every_block_another_claimant(compiled: Any) -> None:
    """The contract compiled for such a chain and played there: its opcode gives a difficulty of 0."""
    with anvil("--hardfork", "london") as chain:
        market = deploy(chain, compile_contract("contracts/HCFL.sol", evm_version="london"))
        for name in (*OWNERS, *STATIONS):
            chain.set_balance(actor(name), FUNDS)
        round_ = rounds_on(market)(surplus_bps=(0, 9_999)).committed().wait_for("commit", DRAW_DELAY)
        drawn: set[int] = set()
        for _ in range(100):  # of three claimants all come up within six blocks or so
            before = int(chain.rpc("eth_getBlockByNumber", "latest", False)["hash"], 16)
            with chain.snapshot():
                event = round_.draw().send().event("ClaimantDrawn")
            assert (event["thetaNumerator"], event["ordinal"]) == from_source(before, round_)
            drawn.add(event["ordinal"])
            if drawn == {1, 2, 3}:
                break
            chain.rpc("evm_mine")
        assert drawn == {1, 2, 3}
        assert round_.drawn().voted().settled().keys() == set(round_.members)
