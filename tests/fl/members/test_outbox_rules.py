"""What the outbox decides without a node: fees, gas, and what a node means with an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web3.exceptions import Web3RPCError

from analysis.devnode.rounds import CreateRound
from fl.members.outbox import MOST_GAS, NEW_SLOT, Answer, Fees, answer_of, fees_for, gas_limit, raised

WEI = st.integers(0, 10**13)


@st.composite
def fees(draw: st.DrawFn) -> Fees:
    most = draw(WEI)
    return Fees(most, draw(st.integers(0, most)))


@given(base_fee=WEI, tip=WEI, cap=WEI)
def test_fees__of_any_block__pay_it_twice_over_below_the_cap(base_fee: int, tip: int, cap: int) -> None:
    new = fees_for(base_fee, tip, cap)
    assert 0 <= new.tip <= new.most <= cap
    assert new.most == cap or (new.most >= 2 * base_fee and new.tip == tip)


@given(old=fees(), wanted=fees(), cap=WEI)
def test_raised__any_fees__a_tenth_more_of_both_below_the_cap(old: Fees, wanted: Fees, cap: int) -> None:
    new = raised(old, wanted, cap)
    if new is None:
        assert (old.most + 1) * 11 > 10 * cap or (old.tip + 1) * 11 > 10 * cap, "there was room for a tenth"
        return
    assert new.tip <= new.most <= cap
    assert new.most * 10 >= old.most * 11 and new.tip * 10 >= old.tip * 11
    assert new.most > old.most and new.tip > old.tip
    assert new.most == cap or new.most >= wanted.most


@given(start=fees(), cap=WEI)
def test_raised__again_and_again__ends_at_the_cap(start: Fees, cap: int) -> None:
    steps, current = 0, start
    while (new := raised(current, Fees(0, 0), cap)) is not None:
        steps, current = steps + 1, new
    assert steps < 300


@given(estimate=st.integers(21_000, MOST_GAS), data=st.binary(max_size=2_000), block=st.integers(21_000, 10**8))
def test_gas_limit__any_estimate__has_a_margin_that_fits(estimate: int, data: bytes, block: int) -> None:
    limit = gas_limit(estimate, data, block)
    assert estimate <= limit <= max(estimate, min(block, MOST_GAS))
    assert limit in (block, MOST_GAS, estimate) or limit >= estimate * 5 // 4


def bids(models: int, count: int) -> list[tuple[int, ...]]:
    return [tuple(20 + (member + model) % 10 for model in range(models)) for member in range(count)]


@pytest.mark.parametrize("models", [1, 10, 64])
def test_gas_limit__estimated_as_a_later_reveal__lasts_for_the_first(create_round: CreateRound, models: int) -> None:
    """Two members of a side reveal at once: each was estimated after the other, and one is first."""
    round_ = create_round(
        owner_bids=bids(models, max(models, 2)), station_bids=bids(models, 3), proposers=range(models)
    ).drawn()
    chain, gas_needed = round_.market.chain, round_.market.gas_needed
    for one, other in (round_.owners[:2], [seat for seat in round_.stations if seat is not round_.claimant]):
        reveal = round_.reveal_bid(other)
        first = gas_needed(reveal)
        with chain.snapshot():
            round_.reveal_bid(one).send()
            later = gas_needed(reveal)
        data = bytes.fromhex(round_.market.codec.call(reveal.function, reveal.arguments)[2:])
        assert first - later >= NEW_SLOT, "the first is dearer"
        assert gas_limit(later, data, 30_000_000) > first * 21 // 20


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("already known", Answer.KNOWN),  # Geth, Erigon, Reth
        ("AlreadyKnown", Answer.KNOWN),  # Nethermind
        ("transaction already imported", Answer.KNOWN),  # anvil
        ("Known transaction", Answer.KNOWN),  # Besu
        ("Known transaction: 0x5c1f", Answer.KNOWN),  # Hardhat
        ("nonce too low: next nonce 5, tx nonce 3", Answer.LOW_NONCE),  # Geth
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 3", Answer.LOW_NONCE),  # Nethermind
        ("Nonce too low. Expected nonce to be 5 but got 3.", Answer.LOW_NONCE),  # Hardhat
        ("replacement transaction underpriced", Answer.LOW_FEE),  # Geth, anvil
        ("transaction underpriced: tip needed 1, tip permitted 0", Answer.LOW_FEE),  # Geth
        ("ReplacementNotAllowed", Answer.LOW_FEE),  # Nethermind
        ("FeeTooLow, FeePerGas too low", Answer.LOW_FEE),  # Nethermind
        ("max fee per gas less than block base fee", Answer.LOW_FEE),  # Geth, anvil
        ("could not replace existing tx", Answer.LOW_FEE),  # Erigon
        ("Gas price below configured minimum gas price", Answer.LOW_FEE),  # Besu
        ("insufficient funds for gas * price + value: balance 0, tx cost 21000", Answer.NO_FUNDS),  # Geth
        ("Insufficient funds for gas * price + value", Answer.NO_FUNDS),  # anvil
        ("Upfront cost exceeds account balance", Answer.NO_FUNDS),  # Besu
        ("Sender doesn't have enough funds to send tx.", Answer.NO_FUNDS),  # Hardhat
        ("intrinsic gas too low: gas 20000, minimum needed 21000", Answer.GAS),  # Geth
        ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", Answer.GAS),  # anvil
        ("exceeds block gas limit", Answer.GAS),  # Geth
        ("GasLimitExceeded", Answer.GAS),  # Nethermind
        ("limit exceeded", Answer.BUSY),
        ("daily request count exceeded, request rate limited", Answer.BUSY),
        ("Too Many Requests", Answer.BUSY),
        ("txpool is full", Answer.BUSY),
        ("Internal error", Answer.BUSY),
        ("request timed out", Answer.BUSY),
        ("header not found", Answer.BUSY),
        ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", Answer.OTHER),  # Geth
        ("invalid sender", Answer.OTHER),
    ],
)
def test_answer__as_nodes_say_it__is_understood(said: str, meaning: Answer) -> None:
    assert answer_of(Web3RPCError(f"{{'code': -32000, 'message': {said!r}}}")) is meaning
