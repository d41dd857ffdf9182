"""A commitment, a sealed claim or a proof of membership taken to another round, contract, chain or member.

What a member seals is computed by the contract's own views here: a binding that is dropped there is dropped here, and
the replay goes through.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from eth_utils import to_checksum_address

from analysis.devnode.codec import Codec
from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.deployment import abi_of
from fl.market.terms import GWEI, Role
from tests.conftest import rounds_on

OTHER_CHAIN = 4_242


def sealed(round_: LiveRound, seat: Seat) -> bytes:
    """The member's commitment as the contract works it out now."""
    commitment: bytes = round_.market.view("commitmentOf", round_.id, seat.account, seat.sealed.words, seat.sealed.salt)
    return commitment


def claimed(round_: LiveRound, seat: Seat) -> bytes:
    """The digest of the member's sealed claim as the contract works it out now."""
    digest: bytes = round_.market.view("ownersDigestOf", round_.id, seat.account, round_.opening.encoded)
    return digest


def committed_with(round_: LiveRound, seat: Seat, commitment: bytes) -> None:
    """All commit, this member to something of its own; then commits close."""
    round_.joined().wait_for("join")
    round_.call("commitBid", commitment, sender=seat).send()
    round_.committed(but=[seat]).drawn()


def assert_cannot_be_opened(round_: LiveRound, seat: Seat) -> None:
    opened = sealed(round_, seat)
    round_.reveal_bid(seat).reverts_with("WrongOpening", member=seat.account, commitment=opened)


@contextmanager
def on_another_chain(market: Market) -> Iterator[None]:
    """A fork of this chain, where everything is the same but the chain's id."""
    market.chain.rpc("anvil_setChainId", OTHER_CHAIN)
    try:
        assert market.chain.chain_id == OTHER_CHAIN != market.chain_id
        yield
    finally:
        market.chain.rpc("anvil_setChainId", market.chain_id)


@pytest.fixture
def other_market(market: Market, project: Any, compiled: Any) -> Market:
    """Another deployment of the same contract on the same chain."""
    code = str(compiled.contract_type.deployment_bytecode.bytecode)
    sender = to_checksum_address("0x" + "44" * 20)
    market.chain.set_balance(sender, 10**18)
    data = "0x" + code.removeprefix("0x")
    transaction = {"from": sender, "data": data, "gas": hex(2**24), "gasPrice": "0x0"}
    address = market.chain.rpc("eth_sendTransactionSync", transaction)["contractAddress"]
    return Market(market.chain, to_checksum_address(address), Codec(abi_of(compiled)))


def test_commitment__of_another_round__cannot_be_opened(create_round: CreateRound) -> None:
    """Not even by the member that made it: bids of one round tell nothing for sure of those of another."""
    first, second = create_round(), create_round()
    alice = first.owners[0]
    committed_with(second, alice, sealed(first, alice))
    assert_cannot_be_opened(second, alice)


def test_commitment__for_another_contract__cannot_be_opened(create_round: CreateRound, other_market: Market) -> None:
    here, there = create_round(), rounds_on(other_market)()
    assert here.id == there.id == 1
    alice = here.owners[0]
    committed_with(there, alice, sealed(here, alice))
    assert_cannot_be_opened(there, alice)


def test_commitment__made_on_another_chain__cannot_be_opened(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    with on_another_chain(round_.market):
        commitment = sealed(round_, alice)
    committed_with(round_, alice, commitment)
    assert_cannot_be_opened(round_, alice)


def test_commitment__after_a_fork__opens_on_its_own_chain_alone(create_round: CreateRound) -> None:
    """The same commitments stand on both sides of a fork: what opens there must not be taken from here."""
    round_ = create_round().drawn()
    alice = round_.owners[0]
    with on_another_chain(round_.market):
        assert_cannot_be_opened(round_, alice)
    round_.reveal_bid(alice).send()


def test_commitment__another_members__copied_first__stops_only_the_copier(create_round: CreateRound) -> None:
    """The copier is faster: its copy is stored before the original, which is accepted all the same."""
    round_ = create_round().joined().wait_for("join")
    alice, bob, _ = round_.owners
    copied = sealed(round_, alice)
    round_.call("commitBid", copied, sender=bob).send()
    round_.call("commitBid", copied, sender=alice).send()
    round_.committed().drawn()
    round_.reveal_bid(alice).send()
    words, salt = alice.sealed.words, alice.sealed.salt
    opened = round_.market.view("commitmentOf", round_.id, bob.account, words, salt)
    round_.call("revealBid", words, salt, sender=bob).reverts_with(
        "WrongOpening", member=bob.account, commitment=opened
    )
    with round_.market.chain.snapshot():
        round_.revealed(but=[bob]).voted()
        assert round_.settle(bob).send().event("MemberSettled")["slashed"] == round_.terms.bond


def test_commitment__of_a_pending_join_and_commit__copied_first__stops_only_the_copier(
    create_round: CreateRound,
) -> None:
    round_ = create_round()
    carol, south = round_.owners[2], round_.stations[1]
    round_.joined(but=[carol, south]).committed()
    original = round_.join_and_commit(carol)
    *arguments, commitment = round_.join_and_commit(south).arguments[1:]
    assert commitment != sealed(round_, carol)
    round_.call("joinAndCommit", *arguments, sealed(round_, carol), sender=south, value=round_.lock(south)).send()
    original.send()
    round_.drawn().reveal_bid(carol).send()
    assert_cannot_be_opened(round_, south)


def test_join_and_commit__copied_as_a_whole__admits_nobody_else(create_round: CreateRound, stranger: str) -> None:
    """Terms and proof are readable before the transaction is mined; the line that they prove is the caller's."""
    round_ = create_round().wait_for("join")
    alice = round_.owners[0]
    call = round_.join_and_commit(alice)
    round_.call(call.function, *call.arguments[1:], sender=stranger, value=call.value).reverts_with(
        "NotAdmitted", account=stranger, role=Role.OWNER, points=1, termsHash=round_.terms.hash
    )
    call.send()


@pytest.mark.parametrize("origin", ["round", "contract", "chain", "member"])
def test_sealed_claim__from_elsewhere__cannot_be_opened(
    create_round: CreateRound, other_market: Market, origin: str
) -> None:
    """The winner's claim is as good as its seal: one that was opened before could be chosen after the fact."""
    other, round_ = create_round(), create_round()
    bob = round_.owners[1]
    same_number = [rounds_on(other_market)() for _ in range(2)][-1]
    assert same_number.id == round_.id
    match origin:
        case "round":
            digest = claimed(other, bob)
        case "member":
            digest = claimed(round_, round_.owners[0])
        case "contract":
            digest = claimed(same_number, bob)
        case "chain":
            with on_another_chain(round_.market):
                digest = claimed(round_, bob)
    proposal = (digest, *round_.proposal(bob)[1:])
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    round_.propose(round_.owners[0]).send()
    round_.call("propose", proposal, sender=bob).send()
    round_.joined(but=round_.members).trained()
    assert round_.winner == bob
    round_.report_result().reverts_with("WrongProposalOpening", digest=claimed(round_, bob), proposed=digest)


def test_proof_of_membership__from_another_rounds_root__refused(create_round: CreateRound) -> None:
    """Alice is listed in both, with other neighbours in the tree."""
    first = create_round()
    second = create_round(owner_bids=((1, 1),) * 5)
    alice = first.owners[0]
    assert first.proof(alice) != second.proof(alice)
    refused(second, alice, first.proof(alice))
    second.join(alice).send()


@pytest.mark.parametrize("cut", ["empty", "one hash short", "one hash more", "order turned"])
def test_proof_of_membership__tampered_with__refused(create_round: CreateRound, cut: str) -> None:
    """A shorter proof would make an inner node of the tree a line of the list."""
    round_ = create_round()
    alice = round_.owners[0]
    proof = round_.proof(alice)
    tampered = {
        "empty": [],
        "one hash short": proof[:-1],
        "one hash more": [*proof, bytes(32)],
        "order turned": proof[::-1],
    }[cut]
    refused(round_, alice, tampered)


def test_proof_of_membership__forged_for_a_stranger__refused(create_round: CreateRound, stranger: str) -> None:
    """All that is public: the root and every node of the tree, each given as a proof, alone and with its neighbours.

    A stranger's line is hashed twice, so that it is no node of the tree; and the root itself, or the door, is no proof.
    """
    round_ = create_round()
    nodes = {node for seat in round_.members for node in round_.proof(seat)} | {round_.tree.root}
    door = round_.market.view("termsOf", round_.id).door
    forged = [[], [door], *([node] for node in nodes), *(round_.proof(seat) for seat in round_.members)]
    forged += [[node, *round_.proof(seat)] for node in nodes for seat in round_.members]
    outsider = Seat("stranger", stranger, Role.OWNER, ())
    for proof in forged:
        refused(round_, outsider, proof)


def refused(round_: LiveRound, seat: Seat, proof: list[bytes]) -> None:
    call = round_.call("join", round_.terms.hash, seat.role, 1, proof, sender=seat, value=400 * GWEI)
    call.reverts_with("NotAdmitted", account=seat.account, role=seat.role, points=1, termsHash=round_.terms.hash)
