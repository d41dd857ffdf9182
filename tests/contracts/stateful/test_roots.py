"""What the random walks have found: a membership root that is no list's admits nobody, and the model knows."""

from collections import Counter

import pytest

from analysis.devnode.market import Market
from fl.market.terms import Deadlines, Role, RoundTerms
from tests.contracts.stateful.scene import Scene

LOCK = 10**9


@pytest.mark.parametrize(("root", "what_becomes_of_it"), [(bytes(32), "done"), (b"\x01" + bytes(31), "refused")])
def test_join__root_of_no_list__is_refused(market: Market, root: bytes, what_becomes_of_it: str) -> None:
    scene = Scene(market, Counter())
    terms = RoundTerms(
        max_owner_bid=1,
        max_base_bid=1,
        bond=LOCK,
        deadlines=Deadlines.after(scene.world.now, 100),
        membership_root=root,
    )
    scene.attempt_creation(market.call("createRound", terms.encode(), sender=scene.stranger), (), None, 0)
    scene.attempt(market.call("join", 1, Role.OWNER, 1, [], [], sender=scene.members[0], value=3 * LOCK))
    assert scene.reached[f"join {what_becomes_of_it}"] == 1
