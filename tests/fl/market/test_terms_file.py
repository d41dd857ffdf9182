"""Terms in a file: read strictly, and refused exactly where the contract would refuse them, with the key."""

import re
from dataclasses import astuple, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.devnode.chain import Reverted
from analysis.devnode.market import Market
from fl.market.bids import MAX_BID
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms
from fl.market.terms_file import (
    CREATION_SECONDS,
    LONGEST_ROUND,
    MAX_BOND,
    PHASES,
    TermsFile,
    problems,
    seconds_of,
    time_of,
    wei_of,
)
from fl.yaml_file import ConfigurationError
from tests.conftest import untouched

EXAMPLE = Path(__file__).parents[3] / "examples" / "terms.yaml"
NOW = 1_900_000_000
DAY, HOUR = 86_400, 3_600
ROOT = b"\1" * 32

ERRORS = {
    "max_owner_bid": {"InvalidCap"},
    "max_station_bid": {"InvalidCap"},
    "bond": {"BondOutOfRange", "NotWholeGwei"},
    "contribution_stake": {"StakeOutOfRange", "NotWholeGwei"},
    "surplus_bps": {"InvalidSurplusRange"},
    "threshold_bps": {"InvalidThreshold"},
    "tolerance_bps": {"InvalidTolerance"},
    "max_models": {"InvalidMaxModels"},
    **{f"deadlines.{phase}": {"InvalidDeadline", "DeadlineTooFar"} for phase in PHASES},
}
"""What the contract says where a key is refused here."""


def near(*limits: int, most: int) -> st.SearchStrategy[int]:
    """Numbers around some limits, and any others that the contract's type holds."""
    around = [limit + off for limit in limits for off in (-1, 0, 1) if 0 <= limit + off <= most]
    return st.sampled_from(around) | st.integers(0, most)


caps = near(1, MAX_BID, most=2**64 - 1)
bps = near(0, 5_000, 9_999, most=2**16 - 1)
lengths = st.sampled_from((59, 60, 61, 239, 240, 241, 1_000, LONGEST_ROUND // 7, LONGEST_ROUND))
good = RoundTerms(100, 50, 200 * GWEI, Deadlines(*[0] * 7))


@st.composite
def terms(draw: st.DrawFn) -> RoundTerms:
    """Good terms in which some fields are any."""
    parts: dict[str, st.SearchStrategy[Any]] = {
        "max_owner_bid": caps,
        "max_station_bid": caps,
        "bond": near(50 * GWEI, MAX_BOND, most=2**256 - 1),
        "contribution_stake": near(0, MAX_BID * GWEI, GWEI, most=2**256 - 1),
        "owner_policy": st.sampled_from(Policy),
        "surplus_bps": st.tuples(bps, bps),
        "threshold_bps": bps,
        "tolerance_bps": bps,
        "max_models": near(1, 64, most=255),
    }
    changed = draw(st.sets(st.sampled_from(sorted(parts)), max_size=2))
    given = {name: draw(parts[name]) for name in changed}
    steps = [draw(lengths) if draw(st.booleans()) else 300 for _ in PHASES]
    times = [NOW + sum(steps[: i + 1]) for i in range(len(steps))]
    base = {field.name: getattr(good, field.name) for field in fields(RoundTerms)}
    return RoundTerms(**{**base, **given, "deadlines": Deadlines(*times)})


@given(terms())
def test_problems__any_terms__are_what_the_contract_refuses(deployment: Market, terms: RoundTerms) -> None:
    """Its first error, and no error where it accepts them."""
    with untouched(deployment):
        assert_as_the_contract(deployment, terms)


AT_THE_LIMITS: dict[str, tuple[Any, ...]] = {
    "max_owner_bid": (0, 1, MAX_BID, MAX_BID + 1),
    "max_station_bid": (0, 1, 200, 201, MAX_BID + 1),
    "bond": (50 * GWEI - 1, 50 * GWEI, 50 * GWEI + 1, MAX_BOND, MAX_BOND + GWEI),
    "contribution_stake": (0, 1, GWEI, MAX_BID * GWEI, (MAX_BID + 1) * GWEI),
    "surplus_bps": ((0, 0), (0, 9_999), (9_999, 9_999), (0, 10_000), (2, 1)),
    "threshold_bps": (4_999, 5_000, 9_999, 10_000),
    "tolerance_bps": (0, 9_999, 10_000),
    "max_models": (0, 1, 64, 65),
}


@pytest.mark.parametrize("key", AT_THE_LIMITS)
def test_problems__each_key_at_its_limits__are_what_the_contract_refuses(deployment: Market, key: str) -> None:
    with untouched(deployment):
        accepted = {
            assert_as_the_contract(deployment, replace(dated([300] * 7), **{key: value}))
            for value in AT_THE_LIMITS[key]
        }
    assert accepted == {True, False}


@pytest.mark.parametrize("phase", range(7))
def test_problems__each_phase_at_its_shortest__are_what_the_contract_refuses(deployment: Market, phase: int) -> None:
    shortest = 240 if phase == 2 else 60
    with untouched(deployment):
        for length in (shortest - 1, shortest):
            lengths = [300] * 7
            lengths[phase] = length
            assert assert_as_the_contract(deployment, dated(lengths)) == (length == shortest)


def test_problems__the_longest_round__is_what_the_contract_takes(deployment: Market) -> None:
    with untouched(deployment):
        for total in (LONGEST_ROUND, LONGEST_ROUND + 1):
            taken = assert_as_the_contract(deployment, dated([300] * 6 + [total - 6 * 300]))
            assert taken == (total == LONGEST_ROUND)


def test_problems__capability__takes_no_range(deployment: Market) -> None:
    with untouched(deployment):
        for ends in ((0, 0), (0, 1)):
            terms = replace(dated([300] * 7), owner_policy=Policy.CAPABILITY, surplus_bps=ends)
            assert assert_as_the_contract(deployment, terms) == (ends == (0, 0))


def dated(lengths: list[int]) -> RoundTerms:
    """Good terms with phases of these lengths, from `NOW` on."""
    return replace(good, deadlines=Deadlines(*(NOW + sum(lengths[: i + 1]) for i in range(7))))


def assert_as_the_contract(deployment: Market, terms: RoundTerms) -> bool:
    """Whether it takes terms whose deadlines are counted from `NOW`; the first problem found here is its error."""
    now = deployment.chain.now
    moved = replace(terms, deadlines=Deadlines(*(at - NOW + now for at in astuple(terms.deadlines))))
    found = [key for key, _ in problems(moved, now)]
    try:
        deployment.call("createRound", moved.encode(), ROOT, sender="0x" + "11" * 20).returns()
    except Reverted as refused:
        assert found, f"the contract refuses {moved}: {refused}"
        assert refused.failure.error in ERRORS[found[0]]
        return False
    assert found == [], f"the contract takes {moved}"
    return True


def test_read__example__all_its_terms() -> None:
    file = TermsFile.read(EXAMPLE)
    read = file.terms(NOW)
    start = NOW + CREATION_SECONDS
    ends = (DAY, 2 * HOUR, 2 * HOUR, HOUR // 2, 3 * DAY, 6 * HOUR, DAY)
    assert read == RoundTerms(
        max_owner_bid=100,
        max_station_bid=50,
        bond=200 * GWEI,
        contribution_stake=10 * GWEI,
        owner_policy=Policy.EQUAL,
        surplus_bps=(2_000, 6_000),
        threshold_bps=5_000,
        tolerance_bps=300,
        max_models=16,
        deadlines=Deadlines(*(start + sum(ends[: i + 1]) for i in range(7))),
    )
    assert file.finality.shortest_commit_phase == 64 * 12 + 1_800


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is not once in the example: this test changes nothing"
    path = tmp_path / "terms.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_terms__commit_phase__as_long_as_finality_asks_for(tmp_path: Path) -> None:
    assert TermsFile.read(changed(tmp_path, "commit: 2 h", "commit: 2568 s")).terms(NOW)
    with pytest.raises(ConfigurationError, match=r"deadlines.commit is .* and must be at least 2568 s after join"):
        TermsFile.read(changed(tmp_path, "commit: 2 h", "commit: 2567 s")).terms(NOW)


def test_terms__times__are_not_counted_from_now(tmp_path: Path) -> None:
    path = changed(tmp_path, "join: 1 d", "join: 2030-03-18T12:00:00+02:00")
    assert TermsFile.read(path).terms(NOW).deadlines.join == 1_900_058_400
    with pytest.raises(ConfigurationError, match=r"deadlines.join is .* and must be at least 60 s after now"):
        TermsFile.read(path).terms(1_900_058_400)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_owner_bid: 100 gwei", "max_owner_bid: 0", 'max_owner_bid is "0" and must be 1 … 17,592,186,044,415 gwei'),
        ("max_station_bid: 50 gwei", "max_station_bid: 1 wei", "must be whole gwei"),
        ("bond: 200 gwei", "bond: 49 gwei", 'bond is "49 gwei" and must be max_station_bid … 18,014,398,509,481,983'),
        ("bond: 200 gwei", "bond: 200 gwie", 'bond is "200 gwie" and must be an amount, as in 200, 200 gwei or'),
        ("bond: 200 gwei", "bond: 200.0000000001", "(a wei has no parts)"),
        ("bond: 200 gwei", "bnod: 200 gwei", "bnod is no key that is known here; did you mean bond?"),
        ("bond: 200 gwei", "# none", "bond is missing and must be an amount"),
        ("owner_policy: equal ", "owner_policy: fair ", 'owner_policy is "fair" and must be equal or capability'),
        ("owner_policy: equal ", "owner_policy: capability ", "surplus_bps is a list of 2 and must be [0, 0] under"),
        ("surplus_bps: [2000, 6000]", "surplus_bps: [6000, 2000]", "surplus_bps is a list of 2 and must be two of"),
        ("surplus_bps: [2000, 6000]", "surplus_bps: 0.4", 'surplus_bps is "0.4" and must be a list of two'),
        ("surplus_bps: [2000, 6000]", "surplus_bps: [4000]", "surplus_bps is a list of 1 and must be a list of two"),
        ("threshold_bps: 5000", "threshold_bps: 4999", 'threshold_bps is "4999" and must be 5,000 … 9,999'),
        ("max_models: 16", "max_models: 65", 'max_models is "65" and must be 1 … 64'),
        ("join: 1 d", "join: 86400", "(a number without a unit)"),
        ("join: 1 d", "join: 2030-01-31T18:00:00", "(a time without its zone: end it with Z for UTC)"),
        ("join: 1 d", "join: tomorrow", 'deadlines.join is "tomorrow" and must be a duration'),
        ("reveal: 2 h", "reveal: 239 s", 'deadlines.reveal is "239 s" and must be at least 240 s after commit'),
        ("vote: 1 d", "vote: 366 d", 'deadlines.vote is "366 d" and must be within 365 days'),
        ("vote: 1 d", "", "deadlines.vote is missing"),
        ("commit: 2 h", "commit: 42 min", 'deadlines.commit is "42 min" and must be at least 2568 s after join: 64'),
        ("confirmations: 64", "confirmations: -1", 'finality.confirmations is "-1"'),
    ],
)
def test_terms__one_key_wrong__it_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(ConfigurationError, match=re.escape(said)) as refusal:
        TermsFile.read(path).terms(NOW)
    assert str(refusal.value).startswith(str(path))


@pytest.mark.parametrize("section", ["deadlines", "finality"])
def test_read__a_section_missing__it_is_named(tmp_path: Path, section: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    kept = [part for part in text.split("\n\n") if f"\n{section}:" not in part]
    assert len(kept) == len(text.split("\n\n")) - 1
    path = tmp_path / "terms.yaml"
    path.write_text("\n\n".join(kept), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"{section} is missing and must have"):
        TermsFile.read(path)


@pytest.mark.parametrize(
    ("scalar", "wei"),
    [("7", 7 * GWEI), ("1,000 gwei", 1_000 * GWEI), ("0.1 ether", 10**17), ("1_0wei", 10), ("1.5", 1_500_000_000)],
)
def test_wei_of__an_amount__exact(scalar: str, wei: int) -> None:
    assert wei_of(scalar) == wei


@pytest.mark.parametrize("scalar", ["", "-1", "1e3", "gwei", "1 eth", "١ gwei", "1 gwei gwei", ".5"])
def test_wei_of__none__refused(scalar: str) -> None:
    with pytest.raises(ValueError):
        wei_of(scalar)


@given(st.integers(0, 10**9))
def test_seconds_of__units__add_up(count: int) -> None:
    assert [seconds_of(f"{count} {unit}") for unit in ("s", "min", "h", "d")] == [
        count,
        count * 60,
        count * 3_600,
        count * 86_400,
    ]


@given(st.integers(0, 2**33))
def test_time_of__iso__is_that_moment(at: int) -> None:
    assert time_of(datetime.fromtimestamp(at, UTC).isoformat()) == at
