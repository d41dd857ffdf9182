"""Packed words as their types draw them, and the largest value of every term in its field."""

from dataclasses import astuple
from itertools import accumulate

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms, Status
from tests.contracts.attacks.layout import WORD_BITS, fields_of
from tests.contracts.attacks.storage import conduct_of, draw_of, ledger_of, terms_of

MAX_CAP = 2**44 - 1
MAX_BOND = 2**54 - 1  # gwei
YEAR = 365 * 24 * 60 * 60
SHORTEST = (60, 60, 240, 60, 60, 60, 60)  # phases
TYPES = ("Ledger", "Terms", "Conduct", "Draw", "Member")


@pytest.mark.parametrize("type_name", TYPES)
def test_layout__as_drawn__fields_side_by_side_without_gap_or_overlap(type_name: str) -> None:
    taken = 0
    for field in fields_of(type_name).values():
        assert taken & field.mask == 0, f"{field.name} lies upon another field"
        taken |= field.mask
    assert taken < 1 << WORD_BITS


@pytest.mark.parametrize("longest", range(7))
@pytest.mark.parametrize("policy", Policy)
def test_creation__largest_value_of_every_term__each_in_its_field(
    create_round: CreateRound, longest: int, policy: Policy
) -> None:
    """One phase in turn lasts nearly a year; all else is at its largest."""
    made = create_round()
    market, now = made.market, made.market.chain.now
    lengths = list(SHORTEST)
    lengths[longest] += YEAR - sum(SHORTEST)
    surplus = (9_998, 9_999) if policy is Policy.EQUAL else (0, 0)
    terms = RoundTerms(
        max_owner_bid=MAX_CAP,
        max_station_bid=MAX_CAP,
        bond=MAX_BOND * GWEI,
        contribution_stake=MAX_CAP * GWEI,
        deadlines=Deadlines(*(now + end for end in accumulate(lengths))),
        owner_policy=policy,
        surplus_bps=surplus,
        threshold_bps=9_999,
        tolerance_bps=9_999,
        max_models=64,
    )
    created = market.call("createRound", terms.encode(), b"\xff" * 32, sender=market.address).send()
    event = created.event("RoundCreated")
    round_ = LiveRound(market, event["roundId"], terms, [], [], [], made.tree, made.opening, None)
    join, commit, reveal, select, train, report, vote = astuple(terms.deadlines)

    assert ledger_of(round_).content == {"joinDeadline": join, "commitAfter": commit - join}
    assert terms_of(round_).content == {
        "commitDeadline": commit,
        "revealAfter": reveal - commit,
        "maxOwnerBid": MAX_CAP,
        "maxStationBid": MAX_CAP,
        "bond": MAX_BOND,
        "maxModels": 64,
        "staked": 1,
    } | ({"weighted": 1} if policy is Policy.CAPABILITY else {})
    assert conduct_of(round_).content == {
        "selectDeadline": select,
        "trainAfter": train - select,
        "reportAfter": report - select,
        "voteAfter": vote - select,
        "status": Status.OPEN,
        "accuracy": 9_999,
    }
    ends = {"surplusMin": 9_998, "surplusMax": 9_999} if policy is Policy.EQUAL else {}
    assert draw_of(round_).content == {"threshold": 9_999, "tolerance": 9_999, "stake": MAX_CAP} | ends
    assert RoundTerms.decode(market.view("termsOf", round_.id).terms) == terms
