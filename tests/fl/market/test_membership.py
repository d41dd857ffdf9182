"""Membership trees: OpenZeppelin's standard layout, and proofs that the contract accepts."""

import random
from functools import reduce

import pytest
from eth_abi import encode
from eth_utils import keccak, to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from analysis.devnode.market import Call, Market
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import GWEI, Deadlines, Policy, Role, RoundTerms

entries = st.builds(
    Entry,
    account=st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    role=st.sampled_from(Role),
    points=st.just(1),
) | st.builds(
    Entry,
    account=st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    role=st.just(Role.OWNER),
    points=st.integers(1, 2**32 - 1),
)
lists = st.lists(entries, min_size=1, max_size=40, unique_by=lambda entry: entry.leaf)


def climbed(leaf: bytes, proof: list[bytes]) -> bytes:
    """The root that a proof leads to, as OpenZeppelin's `MerkleProof` climbs."""
    return reduce(lambda node, sibling: keccak(min(node, sibling) + max(node, sibling)), proof, leaf)


@given(lists)
def test_proof__every_entry__leads_to_the_root(members: list[Entry]) -> None:
    tree = MembershipTree(tuple(members))
    assert all(climbed(entry.leaf, tree.proof(entry)) == tree.root for entry in members)


@given(lists, st.randoms())
def test_root__entries_in_any_order__the_same(members: list[Entry], chance: random.Random) -> None:
    shuffled = chance.sample(members, len(members))
    assert MembershipTree(tuple(shuffled)).root == MembershipTree(tuple(members)).root


@given(lists, entries)
def test_proof__somebody_else__refused(members: list[Entry], other: Entry) -> None:
    if other.leaf in {entry.leaf for entry in members}:
        return
    with pytest.raises(ValueError, match="not in the membership list"):
        MembershipTree(tuple(members)).proof(other)


def test_tree__empty__refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MembershipTree(())


def test_leaf__by_formula__double_hash_of_the_encoded_line() -> None:
    account = "0x" + "11" * 20
    encoded = bytes.fromhex("00" * 12 + "11" * 20 + "00" * 31 + "01" + "00" * 31 + "07")
    assert Entry(account, Role.BASE_STATION, 7).leaf == keccak(keccak(encoded))


def test_tree__openzeppelins_own_example__its_published_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The six letters in the tests of @openzeppelin/merkle-tree: only the leaves' content differs from ours."""
    monkeypatch.setattr(Entry, "leaf", property(lambda line: keccak(keccak(encode(["string"], [line.account])))))
    tree = MembershipTree(tuple(Entry(letter, Role.OWNER) for letter in "abcdef"))
    assert tree.root.hex() == "6deb52b5da8fd108f79fab00341f38d2587896634c646ee52e49f845680a70c8"


@given(members=lists, points=st.integers(1, 2**32 - 1))
def test_join__listed_accounts__their_proofs_accepted_and_no_other_points(
    deployment: Market, members: list[Entry], points: int
) -> None:
    """Simulated: a capability round over the list, joined by one of its lines."""
    tree, entry = MembershipTree(tuple(members)), members[0]
    terms = RoundTerms(
        max_owner_bid=1,
        max_station_bid=1,
        bond=GWEI,
        deadlines=Deadlines.after(deployment.chain.now, 1_000),
        owner_policy=Policy.CAPABILITY,
        surplus_bps=(0, 0),
    )
    with deployment.chain.snapshot():
        created = deployment.call("createRound", terms.encode(), tree.root, sender="0x" + "11" * 20).send()
        round_id = created.event("RoundCreated")["roundId"]
        lock = terms.lock(entry.role, entry.points)
        deployment.chain.set_balance(entry.account, 2**128)
        proof = tree.proof(entry)

        def join(line: Entry) -> Call:
            arguments = (round_id, terms.hash, line.role, line.points, proof)
            return deployment.call("join", *arguments, sender=entry.account, value=lock)

        join(entry).returns()
        false = Entry(entry.account, entry.role, points if entry.role is Role.OWNER else 1)
        if false.leaf not in {line.leaf for line in members}:
            account = to_checksum_address(entry.account)
            join(false).reverts_with(
                "NotAdmitted", account=account, role=entry.role, points=points, termsHash=terms.hash
            )
