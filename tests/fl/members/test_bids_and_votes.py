"""What members bid at most, and which points an elector upholds; whole rounds play the rest (`test_hostile`)."""

from types import SimpleNamespace
from typing import Any

import pytest

from fl.market.terms import GWEI, Deadlines, Role, RoundTerms
from fl.members.facts import Facts
from fl.members.owner_acts import UPHOLD_WITHIN, Owner
from fl.members.rounds import Conduct
from fl.members.station_acts import BaseStation
from fl.record.history import MemberRecord, ModelRecord, RoundRecord
from fl.store.errors import Unreachable

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
    made = kind("alice", *[NOBODY] * 5, SimpleNamespace(cards=list), Conduct())
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(("kind", "cap"), [(Owner, 100), (BaseStation, 10)])
@pytest.mark.parametrize("estimate", [-1, 0, 5, 10**30])
def test_bid__outside_of_the_caps__is_cut(kind: Any, cap: int, estimate: int) -> None:
    """The contract takes no higher one, and a commitment that cannot be opened costs the bond."""
    alice = member(kind, estimate=lambda model, facts: estimate)
    assert alice._estimate(0, facts()) == max(0, min(estimate, cap))


def test_bid__store_that_does_not_answer__is_put_off_and_not_blind() -> None:
    def gone(*_: Any) -> int:
        raise Unreachable("gone")

    for kind in (Owner, BaseStation):
        with pytest.raises(Unreachable):
            member(kind, estimate=gone)._estimate(0, facts())


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
