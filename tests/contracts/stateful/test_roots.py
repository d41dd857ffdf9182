"""What the random walks have found: a membership root that is no list's admits nobody, and the model knows."""

from collections import Counter

import pytest

from analysis.devnode.market import Market
from fl.market.terms import Deadlines, Role, RoundTerms
from tests.contracts.stateful.scene import Scene

LOCK = 10**9


def created_with(market: Market, root: bytes) -> tuple[Scene, RoundTerms]:
    scene = Scene(market, Counter())
    terms = RoundTerms(max_owner_bid=1, max_station_bid=1, bond=LOCK, deadlines=Deadlines.after(scene.world.now, 100))
    scene.attempt_creation(market.call("createRound", terms.encode(), root, sender=scene.stranger), (), None)
    return scene, terms


@pytest.mark.parametrize("root", [b"\x01" + bytes(31), bytes(31) + b"\x01", b"\xff" * 32])
def test_join__root_of_no_list__is_refused(market: Market, root: bytes) -> None:
    scene, terms = created_with(market, root)
    joining = (1, terms.hash, Role.OWNER, 1, [])
    scene.attempt(market.call("join", *joining, sender=scene.members[0], value=3 * LOCK))
    assert scene.reached["NotAdmitted"] == 1


def test_create_round__no_root__is_refused(market: Market) -> None:
    scene, _ = created_with(market, bytes(32))
    assert scene.reached["MembershipRootRequired"] == 1
    assert not scene.rounds
