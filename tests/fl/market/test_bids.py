"""Packed and sealed bids: Python and the contract agree on the layout and on the commitment."""

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.bids import MAX_BID, SealedBid, commitment_of, pack_bids, unpack_bids, word_count

vectors = st.lists(st.integers(0, MAX_BID), max_size=64)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@given(vectors)
def test_pack__any_bids__unpacked_again(bids: list[int]) -> None:
    words = pack_bids(bids)
    assert len(words) == word_count(len(bids))
    assert unpack_bids(words, len(bids)) == bids


@given(vectors)
def test_pack__any_bids__nothing_outside_their_lanes(bids: list[int]) -> None:
    total = sum(word << (256 * index) for index, word in enumerate(pack_bids(bids)))
    assert total == sum(bid << (64 * (model + 1)) for model, bid in enumerate(bids))


def test_pack__known_vector__as_the_interface_draws_it() -> None:
    """Lane 0 of word 0 is empty, three bids follow, the fourth opens the next word."""
    assert pack_bids([1, 2, 3, 4]) == [1 << 64 | 2 << 128 | 3 << 192, 4]
    assert pack_bids([]) == [0]


@pytest.mark.parametrize(("models", "words"), [(0, 1), (1, 1), (3, 1), (4, 2), (7, 2), (8, 3), (64, 17)])
def test_word_count__around_full_words__as_the_contract_counts(models: int, words: int) -> None:
    assert word_count(models) == words


@pytest.mark.parametrize("bid", [-1, MAX_BID + 1])
def test_pack__bid_that_does_not_fit__refused(bid: int) -> None:
    with pytest.raises(ValueError, match="model 1"):
        pack_bids([0, bid])


def test_pack__more_models_than_a_round_has__refused() -> None:
    with pytest.raises(ValueError, match="65 bids"):
        pack_bids([0] * 65)


def test_sealed_bid__salt_of_another_length__refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SealedBid((1,), b"short")


def test_sealed_bid__no_salt_given__drawn_anew() -> None:
    assert SealedBid((1,)).salt != SealedBid((1,)).salt


@given(round_id=st.integers(0, 2**256 - 1), member=addresses, bids=vectors, salt=st.binary(min_size=32, max_size=32))
def test_commitment__any_bids__the_contracts_own(
    deployment: Market, round_id: int, member: str, bids: list[int], salt: bytes
) -> None:
    words = pack_bids(bids)
    expected = deployment.view("commitmentOf", round_id, member, words, salt)
    assert commitment_of(deployment.chain_id, deployment.address, round_id, member, words, salt) == expected
    sealed = SealedBid(tuple(bids), salt)
    assert sealed.commitment(deployment.chain_id, deployment.address, round_id, member) == expected


def test_commitment__on_another_chain_or_contract__differs() -> None:
    member, words, salt = "0x" + "11" * 20, [1 << 64], keccak(text="salt")
    commitments = {
        commitment_of(chain_id, contract, 1, member, words, salt)
        for chain_id in (1, 2)
        for contract in ("0x" + "22" * 20, "0x" + "33" * 20)
    }
    assert len(commitments) == 4


def test_reveal__event_unpacked__the_bids_that_were_sealed(create_round: CreateRound) -> None:
    round_ = create_round(
        owner_bids=((9, 8, 7, 6, 5), (1, 2, 3, 4, 5), (0, 0, 0, 0, 1), (1, 1, 1, 1, 1), (2, 2, 2, 2, 2)),
        station_bids=((1, 1, 1, 1, 1), (2, 2, 2, 2, 2), (3, 3, 3, 3, 3)),
        proposers=range(5),
    ).drawn()
    for seat in [each for each in round_.members if each != round_.claimant]:
        words = round_.reveal_bid(seat).send().event("BidRevealed")["bids"]
        assert unpack_bids(words, 5) == list(seat.bids)
