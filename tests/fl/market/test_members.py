"""What members bid on the texts that they are sent, good or bad."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fl.market.members import BaseStation, Member, Owner, worth_of

from fl.crowdfunding.clock import Clock
from fl.market.deployment import deploy
from fl.market.membership import Entry, tree_of
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms, Stage
from fl.store import canonical, mailbox
from fl.store.errors import Unreachable
from fl.store.files import Files
from fl.store.texts import OwnersView, StationsView

STATION_CAP = 10  # gwei
PHASE_SECONDS = 300
ROLES = (Role.OWNER, Role.OWNER, Role.BASE_STATION)
PROPOSED, NOT_PROPOSED = "22" * 32, "33" * 32  # salts

Bids = dict[str, tuple[int, ...] | None]


@pytest.fixture
def bids(
    project: Any, accounts: Any, chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[["Deliver"], Bids]:
    """Plays a round in which mallory's text comes so; what alice and north then commit to, gwei by model, or None."""

    def play(deliver: Deliver) -> Bids:
        creator, *signers = accounts[:4]
        contract, clock, files = deploy(project, creator), Clock(chain, chain.provider), Files(tmp_path)
        entries = [Entry(str(signer.address), role) for signer, role in zip(signers, ROLES, strict=True)]
        tree = tree_of(entries)
        terms = terms_of(clock.now)
        round_id = contract.create_round(creator, terms, tree.root)
        proofs = [tree.proof(entry) for entry in entries]
        (a, m, n), place = zip(signers, proofs, strict=True), (contract, round_id, files)
        alice = Owner("alice", a[0], *place, proof=a[1], values={"cat": 7, "dog": 5})
        mallory = Owner("mallory", m[0], *place, proof=m[1])
        north = BaseStation("north", n[0], *place, proof=n[1], cost_per_label=2)
        for member in (alice, mallory, north):
            member.publish_key()
            member.join()
        alice.propose(*texts("11" * 32), [alice.address], [north.address])
        monkeypatch.setattr(mailbox, "send", lambda *_: None)
        model = contract.model_state(round_id, mallory.propose(*texts(PROPOSED), [], []))
        monkeypatch.undo()
        for member, digest in ((alice, model.owners_digest), (north, model.stations_digest)):
            deliver(member, mallory.address, digest)
        clock.wait_until(terms.deadlines.join)
        return {member.name: committed(member) for member in (alice, north)}

    return play


def terms_of(now: int) -> RoundTerms:
    """The smallest caps and the smallest bond."""
    return RoundTerms(
        max_owner_bid=100,
        max_station_bid=STATION_CAP,
        bond=STATION_CAP * GWEI,
        deadlines=Deadlines.after(now, PHASE_SECONDS),
    )


def committed(member: Member) -> tuple[int, ...] | None:
    """The bids that a member has on chain after it has tried to bid for both models."""
    member.commit(2)
    stage = member.market.member_state(member.round_id, member.address).stage
    return member.sealed.bids if stage is Stage.COMMITTED and member.sealed else None


# ── what a proposer may send ──

Deliver = Callable[[Member, str, bytes], None]  # to this member, from this account, in place of the text of this digest


def texts(salt: str) -> tuple[OwnersView, StationsView]:
    """What a proposal of a model that tells cats from dogs says to owners and to base stations."""
    return OwnersView(9_000, ("cat", "dog"), salt), stations_view(salt)


def stations_view(salt: str) -> StationsView:
    how = {"batch_size": 25, "learning_rate": "0.05", "momentum": "0.9", "seed": 1, "rule": "mean", "tolerate": 0}
    return StationsView("cnn", "cifar10", 2, 1_000, 5, 2, 1, "", salt, **how)  # type: ignore[arg-type]


def text_of(member: Member, salt: str) -> bytes:
    """A text for the member's side."""
    owners, stations = texts(salt)
    return (owners if member.role is Role.OWNER else stations).to_bytes()


def leave(member: Member, sender: str, digest: bytes, text: bytes) -> None:
    """A text that this member can open."""
    mailbox.send(member.mailbox, sender, digest, text, [mailbox.card_of(member.mailbox, member.address)])


def what_was_proposed(member: Member, sender: str, digest: bytes) -> None:
    leave(member, sender, digest, text_of(member, PROPOSED))


def nothing(member: Member, sender: str, digest: bytes) -> None:
    """The text never comes."""


def noise(member: Member, sender: str, digest: bytes) -> None:
    """Nobody has the key for it."""
    member.mailbox.write(f"{sender}/texts/{digest.hex()}", bytes(100))


def no_json(member: Member, sender: str, digest: bytes) -> None:
    leave(member, sender, digest, b"{")


def no_text_of_a_proposal(member: Member, sender: str, digest: bytes) -> None:
    leave(member, sender, digest, b"{}")


def deep_json(member: Member, sender: str, digest: bytes) -> None:
    """More than Python's reader goes down."""
    leave(member, sender, digest, b"[" * 50_000)


def no_object(member: Member, sender: str, digest: bytes) -> None:
    leave(member, sender, digest, b"[1,2]")


def odd_values(member: Member, sender: str, digest: bytes) -> None:
    """The right names, with values of other types."""
    odd = dict.fromkeys(json.loads(text_of(member, PROPOSED)), -1)
    leave(member, sender, digest, canonical.encode(odd))


def another_than_was_proposed(member: Member, sender: str, digest: bytes) -> None:
    leave(member, sender, digest, text_of(member, NOT_PROPOSED))


# ── what is proposed ──


def test_propose__texts__are_sent_before_their_digests_go_on_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[bytes] = []

    class Chain:
        chain_id, address = 1, "0x5FbDB2315678afecb367f032d93F642f64180aa3"

        def propose(self, account: Any, round_id: int, owners: bytes, stations: bytes, rounds: int) -> int:
            assert done == [owners, stations], "both texts lie there"
            done.append(b"proposed")
            return 0

    account = SimpleNamespace(address=Chain.address)
    alice = Owner("alice", account, Chain(), 1, None)  # type: ignore[arg-type]
    monkeypatch.setattr(mailbox, "send", lambda _, sender, digest, text, cards: done.append(digest))
    alice.propose(*texts(PROPOSED), [], [])
    assert done[2:] == [b"proposed"]
    done.clear()

    def gone(*_: Any) -> None:
        raise Unreachable("the store does not answer")

    monkeypatch.setattr(mailbox, "send", gone)
    with pytest.raises(Unreachable):
        alice.propose(*texts(PROPOSED), [], [])
    assert done == []


# ── what is bid ──


def test_commit__both_texts_readable__bids_the_truth(bids: Callable[[Deliver], Bids]) -> None:
    """For alice 12 gwei of labels times the claimed 0.9, rounded."""
    assert bids(what_was_proposed) == {"alice": (11, 11), "north": (4, 4)}


@pytest.mark.parametrize(
    "deliver",
    [nothing, noise, no_json, deep_json, no_object, no_text_of_a_proposal, odd_values, another_than_was_proposed],
)
def test_commit__text_of_one_model_unreadable__bids_all_the_same(
    bids: Callable[[Deliver], Bids], deliver: Deliver
) -> None:
    """It harms the model of mallory alone: an owner bids 0 for that, a base station its cap.

    Alice has proposed, too: where she does not commit she loses her bond.
    """
    assert bids(deliver) == {"alice": (11, 0), "north": (4, STATION_CAP)}


def test_commit__text_unreadable__says_why_and_for_which_model(bids: Callable[[Deliver], Bids], caplog: Any) -> None:
    bids(nothing)
    said = [record.getMessage() for record in caplog.records if record.name == "hcfl"]
    assert [line.split(":")[0] for line in said] == ["alice bids 0 for model 1", "north bids 10 for model 1"]
    assert all("has not been sent" in line for line in said)


# ── texts that are what was proposed, and odd ──


class Alone(Owner):
    """An owner that has read this."""

    text = OwnersView(9_000, ("cat",))

    def view(self, model: int) -> OwnersView:
        return self.text


class StationAlone(BaseStation):
    """A base station that has read this."""

    text = stations_view(PROPOSED)

    def view(self, model: int) -> StationsView:
        return self.text


def bid_of(member: Member) -> int:
    member.__dict__["terms"] = terms_of(0)
    return member._bid(0)


def test_bid__labels_named_twice__count_once() -> None:
    alice = Alone("alice", *[None] * 4, values={"cat": 7})  # type: ignore[arg-type]
    alice.text = OwnersView(10_000, ("cat", "cat"))
    assert bid_of(alice) == 7


@pytest.mark.parametrize(
    ("bps", "worth"), [(0, 0), (416, 0), (417, 1), (5_000, 6), (9_583, 11), (9_584, 12), (10_000, 12), (65_535, 12)]
)
def test_worth__claimed_accuracy__times_the_labels_values_and_at_most_all_of_them(bps: int, worth: int) -> None:
    """v(acc, y): an overclaim raises what others bid, but no claim beyond 1 does."""
    assert worth_of({"cat": 7, "dog": 5, "owl": 99}, OwnersView(bps, ("cat", "dog", "cow"))) == worth


def test_bid__above_the_cap__is_the_cap() -> None:
    """The contract takes no higher one, and a commitment that cannot be opened costs the bond."""
    alice = Alone("alice", *[None] * 4, values={"cat": 120})  # type: ignore[arg-type]
    north = StationAlone("north", *[None] * 4, cost_per_label=6)  # type: ignore[arg-type]
    assert (bid_of(alice), bid_of(north)) == (100, STATION_CAP)


def test_vote__points_near_what_it_measured__upheld_and_no_further() -> None:
    votes = []

    class Ballot:
        def vote(self, *vote: Any) -> None:
            votes.append(vote[2:])

    alice = Owner("alice", None, Ballot(), 1, None)  # type: ignore[arg-type]
    listed = {"a": 400_000, "b": 600_000}
    for measured, uphold in (
        ({"a": 300_000, "b": 700_000}, True),
        ({"a": 299_999, "b": 700_000}, False),
        ({"a": 400_000, "b": 500_000, "c": 100_000}, True),
        ({"a": 399_999, "b": 500_000, "c": 100_001}, False),
        ({}, False),
    ):
        assert alice.vote(9_000, listed, measured) is uphold
        assert votes.pop() == (9_000, uphold)
