"""The terms of a round as its creator writes them down (YAML), checked by the contract's own limits before it is asked.

Keys are named as the fields of `RoundTerms`. Amounts have a unit, or are gwei; a deadline is a time, or how long after
the one before it comes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from fl.market.bids import MAX_BID, MAX_MODELS
from fl.market.terms import (
    GWEI,
    SHORTEST_PHASE,
    SHORTEST_REVEAL_PHASE,
    Deadlines,
    Policy,
    RoundTerms,
)
from fl.yaml_file import ConfigurationError, Reason, Section, one_of, read_yaml, whole

MAX_BOND = (2**54 - 1) * GWEI
LONGEST_ROUND = 365 * 24 * 3_600
CREATION_SECONDS = 30
"""Until a round is created: its phases are counted from then on."""

PHASES = tuple(field.name for field in fields(Deadlines))
POLICIES = {policy.name.lower(): policy for policy in Policy}

_UNITS = {"wei": 1, "gwei": GWEI, "ether": 10**18}
_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}

AMOUNT = "an amount, as in 200, 200 gwei or 0.1 ether (gwei where no unit is named)"
DURATION = "a duration, as in 90 s, 30 min, 2 h or 3 d"
DEADLINE = f"{DURATION}, or a time with its zone, as in 2030-01-31T18:00:00Z"


def wei_of(scalar: str) -> int:
    """An amount of ether, wei.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?)\s*(wei|gwei|ether)?", scalar.strip(), re.ASCII)
    if match is None:
        raise ValueError
    amount = Decimal(re.sub("[_,]", "", match[1])) * _UNITS[match[2] or "gwei"]
    if amount != amount.to_integral_value():
        raise Reason("a wei has no parts")
    return int(amount)


def seconds_of(scalar: str) -> int:
    """A duration, seconds.

    Raises:
        ValueError: it is none, or has no unit.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", scalar.strip(), re.ASCII)
    if match is None:
        raise Reason("a number without a unit") if scalar.strip().isdecimal() else ValueError
    seconds = Decimal(match[1]) * _SECONDS[match[2]]
    if seconds != seconds.to_integral_value():
        raise Reason("no whole number of seconds")
    return int(seconds)


def time_of(scalar: str) -> int:
    """A time with its zone, Unix seconds.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(scalar.strip())
    if moment.tzinfo is None:
        raise Reason("a time without its zone: end it with Z for UTC")
    return int(moment.timestamp())


@dataclass(frozen=True)
class Finality:
    """How long a block of the chain takes to be final, as the round's creator sees it.

    Attributes:
        confirmations: blocks on top of one until it counts as final.
        block_time: seconds between two blocks.
        margin: seconds that members have beside it.
    """

    confirmations: int
    block_time: int
    margin: int

    @property
    def shortest_commit_phase(self) -> int:
        """Seconds: a member commits only once the join phase's last block is final."""
        return self.confirmations * self.block_time + self.margin


@dataclass(frozen=True)
class TermsFile:
    """A file of terms.

    Attributes:
        section: what was read, for errors.
        undated: the terms, their deadlines left open.
        deadlines: by phase, Unix time or seconds after the one before; True where it is a time.
        finality: of the chain that it is for.
    """

    section: Section
    undated: RoundTerms
    deadlines: tuple[tuple[int, bool], ...]
    finality: Finality

    @classmethod
    def read(cls, path: Path) -> "TermsFile":
        """Read a file.

        Raises:
            ConfigurationError: a key is missing, unknown or not what it must be.
        """
        section = read_yaml(path).only(*(field.name for field in fields(RoundTerms)), "finality")
        bps = "a whole number of 1/10,000"
        undated = RoundTerms(
            max_owner_bid=_gwei(section, "max_owner_bid"),
            max_station_bid=_gwei(section, "max_station_bid"),
            bond=section.take("bond", wei_of, AMOUNT),
            deadlines=Deadlines(*[0] * len(PHASES)),
            contribution_stake=section.take_or("contribution_stake", wei_of, AMOUNT, 0),
            owner_policy=section.take("owner_policy", one_of(POLICIES), " or ".join(POLICIES)),
            surplus_bps=_range(section, "surplus_bps"),
            threshold_bps=section.take("threshold_bps", int, bps),
            tolerance_bps=section.take("tolerance_bps", int, bps),
            max_models=section.take("max_models", int, "a whole number"),
        )
        return cls(section, undated, _deadlines(section), _finality(section))

    def terms(self, now: int) -> RoundTerms:
        """The terms of a round that is created from now on.

        Args:
            now: Unix time of the chain.

        Raises:
            ConfigurationError: the contract would refuse them, or members could not commit in time; names the key.
        """
        at, times = now + CREATION_SECONDS, []
        for value, is_time in self.deadlines:
            at = value if is_time else at + value
            times.append(at)
        terms = replace(self.undated, deadlines=Deadlines(*times))
        for key, must in problems(terms, now):
            raise self._error(key, must)
        phase, least = times[1] - times[0], self.finality.shortest_commit_phase
        if phase < least:
            raise self._error(
                "deadlines.commit",
                f"at least {least} s after join: {self.finality.confirmations} confirmations of "
                f"{self.finality.block_time} s and a margin of {self.finality.margin} s (finality)",
            )
        return terms

    def _error(self, key: str, must: str) -> ConfigurationError:
        first, _, rest = key.partition(".")
        inside = self.section.section(first) if rest else self.section
        assert inside is not None, "the deadlines were read"
        return inside.error(rest or first, f"is {inside.shown(rest or first)} and must be {must}")


def problems(terms: RoundTerms, now: int) -> Iterator[tuple[str, str]]:
    """What the contract refuses of some terms (`Rounds._checkTerms`), in its order.

    Args:
        terms: any.
        now: time of the block that would create the round.

    Yields:
        The key, and what it must be.
    """
    for key in ("max_owner_bid", "max_station_bid"):
        if not 1 <= getattr(terms, key) <= MAX_BID:
            yield key, f"1 … {MAX_BID:,} gwei"
    least = terms.max_station_bid * GWEI
    if not least <= terms.bond <= MAX_BOND:
        yield "bond", f"max_station_bid … {MAX_BOND // GWEI:,} gwei"
    if terms.bond % GWEI:
        yield "bond", "whole gwei"
    if not 0 <= terms.contribution_stake <= MAX_BID * GWEI:
        yield "contribution_stake", f"0 … {MAX_BID:,} gwei"
    if terms.contribution_stake % GWEI:
        yield "contribution_stake", "whole gwei"
    (low, high), capability = terms.surplus_bps, terms.owner_policy is Policy.CAPABILITY
    if not 0 <= low <= high <= (0 if capability else 9_999):
        yield "surplus_bps", "[0, 0] under capability" if capability else "two of 0 … 9,999 (1/10,000), least first"
    if not 5_000 <= terms.threshold_bps <= 9_999:
        yield "threshold_bps", "5,000 … 9,999 (1/10,000)"
    if not 0 <= terms.tolerance_bps <= 9_999:
        yield "tolerance_bps", "0 … 9,999 (1/10,000)"
    if not 1 <= terms.max_models <= MAX_MODELS:
        yield "max_models", f"1 … {MAX_MODELS}"
    before, previous = now, "now"
    for key in PHASES:
        shortest = SHORTEST_REVEAL_PHASE if key == "reveal" else SHORTEST_PHASE
        deadline = getattr(terms.deadlines, key)
        if not before + shortest <= deadline < 2**40:
            yield f"deadlines.{key}", f"at least {shortest} s after {previous}"
        before, previous = deadline, key
    if before > now + LONGEST_ROUND:
        yield f"deadlines.{PHASES[-1]}", "within 365 days from now"


def _gwei(section: Section, key: str) -> int:
    wei = section.take(key, wei_of, AMOUNT)
    if wei % GWEI:
        raise section.error(key, f"is {section.shown(key)} and must be whole gwei")
    return wei // GWEI


def _range(section: Section, key: str) -> tuple[int, int]:
    must = "a list of two whole numbers of 1/10,000, as in [2000, 6000]"
    ends = section.items(key, int, must)
    if len(ends) != 2:
        raise section.error(key, f"is {section.shown(key)} and must be {must}")
    return ends[0], ends[1]


def _deadlines(section: Section) -> tuple[tuple[int, bool], ...]:
    inside = section.section("deadlines")
    if inside is None:
        raise section.error("deadlines", f"is missing and must have {', '.join(PHASES)}")
    inside.only(*PHASES)

    def parse(scalar: str) -> tuple[int, bool]:
        if re.match(r"\d{4}-", scalar):
            return time_of(scalar), True
        return seconds_of(scalar), False

    return tuple(inside.take(phase, parse, DEADLINE) for phase in PHASES)


def _finality(section: Section) -> Finality:
    inside = section.section("finality")
    if inside is None:
        raise section.error("finality", "is missing and must have confirmations, block_time and margin of the chain")
    inside.only("confirmations", "block_time", "margin")
    return Finality(
        confirmations=inside.take("confirmations", whole(0, 10_000), "a number of blocks, 0 … 10,000"),
        block_time=inside.take("block_time", seconds_of, DURATION),
        margin=inside.take("margin", seconds_of, DURATION),
    )
