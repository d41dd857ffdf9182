"""What members bid at most, and which points an elector upholds; whole rounds play the rest (`test_hostile`)."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fl.faults import Fault
from fl.market.refusals import ByHand, MarketError
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms
from fl.members.audit import UPHOLD_WITHIN
from fl.members.facts import Facts
from fl.members.journal import JournalError
from fl.members.owner import NO_UPDATE
from fl.members.owner_acts import Owner
from fl.members.rounds import Conduct
from fl.members.station_acts import BaseStation
from fl.members.steps import Commit, Join, Step
from fl.members.work import WorkError, WrongArtefact
from fl.record.history import MemberRecord, ModelRecord, RoundRecord
from fl.store.artefacts import from_chain
from fl.store.errors import Forbidden, Unreachable
from fl.store.keys import EncryptionKey
from fl.store.texts import OwnersView
from fl.yaml_file import ConfigurationError

TERMS = RoundTerms(max_owner_bid=100, max_station_bid=10, bond=10 * GWEI, deadlines=Deadlines.after(0, 300))
NOBODY: Any = None


def facts(**listed: int | None) -> Facts:
    """A round with one model, and base stations that the winner has listed so."""
    record = RoundRecord(1, TERMS, bytes(32), models=[ModelRecord("0xMallory", 1)])
    record.members = {
        each: MemberRecord(each, Role.BASE_STATION, 1, 0, committed=True, listed=points)
        for each, points in listed.items()
    }
    return Facts(1, "0x", "0xAlice", 0, 0, record)


def member(kind: Any, **changes: Any) -> Any:
    """A member of which nothing but these is used."""
    made = kind("alice", *[NOBODY] * 5, SimpleNamespace(cards=list, find=lambda account: None), Conduct())
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("step", [Join(), Commit()], ids=["in time", "late"])
@pytest.mark.parametrize(("kind", "lock", "loss"), [(Owner, 210, 200), (BaseStation, 20, 10)])
def test_join__not_accepted_yet__what_it_locks_and_can_lose_is_said_before_and_once(
    step: Step, kind: Any, lock: int, loss: int
) -> None:
    def refused(*_: Any) -> None:
        raise MarketError("no funds")

    told: list[str] = []
    market = SimpleNamespace(has_known_code=lambda: True, join=refused, join_and_commit=refused)
    bid = SimpleNamespace(commitment=lambda *_: bytes(32))
    account = SimpleNamespace(address="0xAlice")
    alice = member(kind, market=market, account=account, bid=lambda facts: bid, did=told.append)
    for _ in range(2):
        with pytest.raises(MarketError):
            alice.do(step, facts())
    assert told == [f"locks {lock} gwei; doing its duties it loses {loss} at most"]


@pytest.mark.parametrize(("kind", "cap"), [(Owner, 100), (BaseStation, 10)])
@pytest.mark.parametrize("estimate", [-1, 0, 5, 10**30])
def test_bid__outside_of_the_caps__is_cut(kind: Any, cap: int, estimate: int) -> None:
    """The contract takes no higher one, and a commitment that cannot be opened costs the bond."""
    told: list[str] = []
    alice = member(kind, estimate=lambda model, facts: estimate, did=told.append)
    assert alice._estimate(0, facts()) == max(0, min(estimate, cap))
    assert bool(told) is (estimate > cap), "a cut bid is no true one"


def test_bid__store_that_does_not_answer__is_put_off_and_not_blind() -> None:
    def gone(*_: Any) -> int:
        raise Unreachable("gone")

    for kind in (Owner, BaseStation):
        with pytest.raises(Unreachable):
            member(kind, estimate=gone)._estimate(0, facts())


def test_bid__store_gone_until_the_deadline__who_would_lose_its_bond_bids() -> None:
    """Whoever has proposed loses its bond where it seals no bid: who runs the store could take it from all of them."""

    def gone(*_: Any) -> int:
        raise Unreachable("gone")

    account, away = SimpleNamespace(address="0xMallory"), SimpleNamespace(answers=lambda: False)
    mallory = member(Owner, estimate=gone, account=account, files=away)
    alice = member(Owner, estimate=gone, account=SimpleNamespace(address="0xAlice"), files=away)
    before = facts()
    before.record.members["0xMallory"] = MemberRecord("0xMallory", Role.OWNER, 1, 0)
    before = replace(before, account="0xMallory")
    late = replace(before, now=before.deadlines.commit - 4 * Conduct.reserve)
    with pytest.raises(Unreachable):
        mallory._estimate(0, replace(late, now=late.now - 1))
    assert mallory._estimate(0, late) == 0
    with pytest.raises(Unreachable):
        alice._estimate(0, replace(late, account="0xAlice"))


def test_bid__own_model__needs_no_store() -> None:
    """Nor the key that it is sealed to."""
    own, contract = OwnersView(8_000, ("cat",)), "0x" + "11" * 20
    address = "0x" + "22" * 20
    journal = SimpleNamespace(noted=lambda *_: {})
    alice = member(Owner, account=SimpleNamespace(address=address), round_id=1, journal=journal)
    alice.texts = lambda: (own, None)
    record = facts().record
    record.models[0] = ModelRecord(address, 1, owners_digest=own.digest(1, contract, 1, address))
    alice.worth = lambda view: 7 if view == own else 0
    assert alice.estimate(0, replace(facts(), record=record, contract=contract)) == 7


@pytest.mark.parametrize(("kind", "blind"), [(Owner, 0), (BaseStation, 10)])
@pytest.mark.parametrize("error", [ConfigurationError, Forbidden])
def test_bid__what_people_can_mend__is_told_and_in_the_end_keeps_nobody_from_bidding(
    error: type[Fault], kind: Any, blind: int
) -> None:
    """A plan that fails on a text, credentials of the store that hold no more.

    A proposer could choose words that another's own function does not expect, and that one would lose its bond.
    """

    def fails(*_: Any) -> int:
        raise error("my.plans:value raised KeyError: 'unheard of'")

    told: list[str] = []
    alice, before = member(kind, estimate=fails, did=told.append), facts()
    with pytest.raises(error, match="unheard of"):
        alice._estimate(0, before)
    assert told == [], "its people can mend the plan"
    late = replace(before, now=before.deadlines.commit - 4 * Conduct.reserve)
    assert alice._estimate(0, late) == blind
    assert told == [f"bids {blind} for model 0 of 0xMallory, because my.plans:value raised KeyError: 'unheard of'"]


LISTED_KEY, OTHER_KEY = EncryptionKey.generate(), EncryptionKey.generate()


def joining(kind: Any, *keys: EncryptionKey, most_lock: int | None = None, known: bool = True) -> tuple[Any, list[str]]:
    """A member that is about to lock its funds, and what it has sent."""
    sent: list[str] = []
    market = SimpleNamespace(
        address="0xContract",
        has_known_code=lambda: known,
        join=lambda *_: sent.append("join"),
        join_and_commit=lambda *_: sent.append("join_and_commit"),
    )
    card = SimpleNamespace(public_key=LISTED_KEY.public_key)
    journal = SimpleNamespace(path="alice.sqlite", keys=lambda: [each.secret for each in keys])
    alice = member(kind, market=market, account=SimpleNamespace(address="0xAlice"), journal=journal, round_id=1)
    alice.listed = SimpleNamespace(find=lambda account: SimpleNamespace(card=card))
    alice.conduct = Conduct(most_lock=most_lock)
    alice.bid = lambda facts: SimpleNamespace(commitment=lambda *_: bytes(32))
    return alice, sent


@pytest.mark.parametrize("step", [Join(), Commit()])
@pytest.mark.parametrize("kind", [Owner, BaseStation])
def test_lock__more_than_the_member_agreed_to__refused(kind: Any, step: Any) -> None:
    """Anybody can create a round for its list, with terms of its own."""
    lock = TERMS.lock(kind.role, 1)
    for most in (lock, None):
        alice, sent = joining(kind, LISTED_KEY, most_lock=most)
        alice.do(step, facts())
        assert len(sent) == 1
    alice, sent = joining(kind, LISTED_KEY, most_lock=lock - GWEI)
    with pytest.raises(ConfigurationError, match=f"locks {lock // GWEI} gwei, and most_lock .* is {lock // GWEI - 1}:"):
        alice.do(step, facts())
    assert sent == []


@pytest.mark.parametrize("step", [Join(), Commit()])
def test_lock__contract_with_other_code__refused(step: Any) -> None:
    alice, sent = joining(Owner, LISTED_KEY, known=False)
    with pytest.raises(ByHand, match="0xContract is not the one that this client was made with"):
        alice.do(step, facts())
    assert sent == []


@pytest.mark.parametrize("step", [Join(), Commit()])
@pytest.mark.parametrize("keys", [(), (OTHER_KEY,)])
def test_lock__journal_without_the_listed_cards_key__refused(step: Any, keys: tuple[EncryptionKey, ...]) -> None:
    """It could open no text, not even its own, and would bid blindly for every model."""
    alice, sent = joining(Owner, *keys)
    with pytest.raises(JournalError, match=r"alice.sqlite does not have the key of this member's card"):
        alice.do(step, facts())
    assert sent == []
    alice, sent = joining(Owner, *keys, LISTED_KEY)
    alice.do(step, facts())
    assert len(sent) == 1, "an old card may be the one that is listed"


@pytest.mark.parametrize("has", [30, 31])
def test_training__data_changed_since_they_were_declared__no_update_and_people_are_told(has: int) -> None:
    """Of an update with other samples than were declared nobody takes any: a folder may have grown over a restart."""
    told: list[str] = []
    work = SimpleNamespace(samples=lambda *_: has, seconds=lambda *_: 0, train=lambda *_: b"update")
    alice = member(BaseStation, work=work, alert=told.append, round_id=1, account=SimpleNamespace(address="0xAlice"))
    alice.journal = SimpleNamespace(noted=lambda *_: 30)
    alice.order, alice._start_of = lambda facts: None, lambda *_: b"model"
    alice._sign, alice._owners = lambda statement: statement, lambda facts: []
    alice.files = alice.market = SimpleNamespace(address="0x")
    before = facts()
    before.record.members["0xAlice"] = MemberRecord("0xAlice", Role.BASE_STATION, 1, 1, committed=True)
    stored: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fl.members.acts.ArtefactStore.put", lambda store, data, *_: stored.append(data) or "0x01")
        recorded = alice._trained(0, before)
    if has == 30:
        assert (recorded, stored, told) == ("0x01", [b"update"], [])
    else:
        assert (recorded, stored) == (from_chain(NO_UPDATE), [])
        assert "its data have 31 images now, and it declared 30" in told[0]


@pytest.mark.parametrize(
    ("measured", "uphold"),
    [
        ({"a": 300_000, "b": 700_000}, True),
        ({"a": 299_999, "b": 700_000}, False),
        ({"a": 400_000, "b": 500_000, "c": 100_000}, True),
        ({"a": 399_999, "b": 500_000, "c": 100_001}, False),
        ({}, False),
    ],
)
def test_vote__points_near_what_it_measured__upheld_and_no_further(measured: dict[str, int], uphold: bool) -> None:
    alice = member(Owner, measured_points=lambda facts: measured)
    assert UPHOLD_WITHIN == 100_000
    assert alice._upholds(facts(a=400_000, b=600_000, c=None)) is uphold


def test_vote__winner_zeroes_half_of_ten_equal_stations_for_the_others__not_upheld() -> None:
    """Each is within 100,000 of what is measured: an upheld list would have taken five honest stations' bonds."""
    names = "abcdefghij"
    alice = member(Owner, measured_points=lambda facts: dict.fromkeys(names, 100_000))
    assert alice._upholds(facts(**dict.fromkeys(names, 100_000)))
    assert not alice._upholds(facts(**{name: 0 if name < "f" else 200_000 for name in names}))
    assert not alice._upholds(facts(**{name: 1 if name < "f" else 199_999 for name in names})), "nor for their stakes"
    assert alice._upholds(facts(**{name: 50_000 if name < "f" else 150_000 for name in names}))


def test_vote__station_listed_with_0_that_nobody_has_an_update_of__not_upheld() -> None:
    """It may have been shown no order and no model: then it could do no more than attend."""
    alice = member(Owner, measured_points=lambda facts: {"a": 600_000, "b": 400_000})
    assert alice._upholds(facts(a=600_000, b=400_000, c=None))
    assert not alice._upholds(facts(a=600_000, b=400_000, c=0))


@pytest.mark.parametrize(("fault", "measured"), [(WorkError("no test images"), None), (WrongArtefact("no model"), 0)])
def test_vote__cannot_judge__punishes_for_what_is_wrong_with_the_model_alone(
    fault: Fault, measured: int | None
) -> None:
    """Who has no test data would else punish every winner."""

    def judge(*_: Any) -> int:
        raise fault

    cast: list[int] = []
    noted: dict[str, Any] = {}
    journal = SimpleNamespace(
        noted=lambda round_id, name: noted.get(name), note=lambda round_id, name, value: noted.update({name: value})
    )
    market = SimpleNamespace(vote=lambda account, round_id, accuracy_bps, uphold: cast.append(accuracy_bps))
    alice = member(Owner, journal=journal, market=market, order=lambda facts: NOBODY, judge=judge)
    alice._upholds = lambda facts: False
    reported = facts()
    reported.record.result = (bytes(32), 9_000)
    with pytest.raises(WorkError) if measured is None else nullcontext():
        alice._vote(reported)
    assert cast == ([] if measured is None else [measured])


def test_list__of_two_thousand_stations__in_calls_that_fit_and_what_is_there_is_not_sent_again() -> None:
    """One call of 2^24 gas lists 1,850; refused for good, it would keep the winner from reporting."""
    points = {f"s{number:04}": 500 for number in range(2_000)}
    sent: list[dict[str, int]] = []
    market = SimpleNamespace(
        report_contributions=lambda account, round_id, stations, each: sent.append(
            dict(zip(stations, each, strict=True))
        )
    )
    journal = SimpleNamespace(noted=lambda round_id, name: points)
    alice = member(Owner, journal=journal, market=market)
    alice._list(facts(**{name: 500 if name < "s0300" else None for name in points}))
    assert max(map(len, sent)) <= 500 and len(sent) == 4
    assert {name: each for call in sent for name, each in call.items()} == {
        name: each for name, each in points.items() if name >= "s0300"
    }


@pytest.mark.parametrize(("seconds", "measured"), [(7, True), (8, False)])
def test_contributions__that_cannot_be_measured_in_time__are_not_and_the_call_is_made(
    seconds: int, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two global rounds of two updates: six models are to be judged, in 60 s before the reserve, less two trials."""
    trained = facts(a=None, b=None)
    trained.record.global_rounds = dict.fromkeys(range(2), (bytes(32), bytes(32)))
    for each in trained.record.members.values():
        each.words, each.updates = (1,), dict.fromkeys(range(2), b"1" * 32)
    clock = [0]
    monkeypatch.setattr("fl.members.elector.monotonic", lambda: clock[0])

    def judge(*_: Any) -> Any:
        clock[0] += seconds
        return NOBODY

    noted: dict[str, Any] = {}
    journal = SimpleNamespace(
        noted=lambda round_id, name: noted.get(name), note=lambda round_id, name, value: noted.update({name: value})
    )
    alice = member(Owner, journal=journal, market=SimpleNamespace(report_contributions=lambda *_: None))
    alice.order = lambda facts: SimpleNamespace(text=SimpleNamespace(initial_model="0x"))
    alice.judge, alice.measured_points = judge, (lambda facts: {"a": 500_000, "b": 500_000})
    late = replace(trained, now=trained.deadlines.report - 60 - alice.conduct.reserve)
    alice._list(late)
    assert bool(noted["points"]) is measured
