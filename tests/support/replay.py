"""Rebuilds a round from its events alone, as the reference in `analysis` takes it."""

from dataclasses import dataclass
from typing import Any

from analysis.devnode.market import Market
from analysis.round_facts import Member, OwnerPolicy, Round
from analysis.settlement import exceeds_threshold
from fl.market.bids import unpack_bids
from fl.market.terms import Policy, Role, RoundTerms

POLICY_NAMES: dict[Policy, OwnerPolicy] = {Policy.EQUAL: "equal", Policy.CAPABILITY: "capability"}

Events = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Replay:
    """A round as its events tell it; accounts are in the order in which they joined, as in `facts`."""

    facts: Round
    owners: tuple[str, ...]
    stations: tuple[str, ...]
    events: Events

    @property
    def claimant(self) -> str | None:
        return None if self.facts.claimant is None else self.stations[self.facts.claimant]


def replay(market: Market, round_id: int) -> Replay:
    """Read a round's events."""
    events: Events = {}
    for log in market.logs_of(round_id):
        events.setdefault(log.name, []).append(log.values)

    terms = RoundTerms.decode(events["RoundCreated"][0]["terms"])
    proposals = events.get("ModelProposed", [])
    committed = [event["member"] for event in events.get("BidCommitted", [])]
    revealed = {
        event["member"]: tuple(unpack_bids(event["bids"], len(proposals))) for event in events.get("BidRevealed", [])
    }
    recorded = [event["station"] for event in events.get("UpdateRecorded", [])]
    joined: dict[Role, dict[str, Member]] = {Role.OWNER: {}, Role.BASE_STATION: {}}
    for event in events.get("Joined", []):
        account = event["member"]
        joined[Role(event["role"])][account] = Member(
            bids=revealed.get(account, ()),
            points=event["points"],
            committed=account in committed,
            revealed=account in revealed,
            recorded=recorded.count(account),
        )
    owners, stations = joined[Role.OWNER], joined[Role.BASE_STATION]
    claimant, theta = None, 0
    for drawn in events.get("ClaimantDrawn", []):
        drawable = [account for account in committed if account in stations]
        claimant, theta = list(stations).index(drawable[drawn["ordinal"] - 1]), drawn["thetaNumerator"]
    selected = [event["model"] for event in events.get("ModelSelected", [])]
    listed = {event["station"]: event["points"] for event in events.get("ContributionReported", [])}
    punish, uphold = _votes(events, terms)
    electors = sum(owner.committed for owner in owners.values()) - 1
    facts = Round(
        owners=tuple(owners.values()),
        stations=tuple(stations.values()),
        proposers=tuple(list(owners).index(event["proposer"]) for event in proposals),
        claimant=claimant,
        theta_numerator=theta,
        max_owner_bid=terms.max_owner_bid,
        max_station_bid=terms.max_station_bid,
        bond=terms.bond,
        stake=terms.contribution_stake,
        owner_policy=POLICY_NAMES[terms.owner_policy],
        selected_in_time=bool({"ModelSelected", "NothingSelected"} & set(events)),
        global_rounds=proposals[selected[0]]["proposal"].globalRounds if selected else 1,
        reported="ResultReported" in events,
        punished=exceeds_threshold(punish, electors, terms.threshold_bps),
        upheld=exceeds_threshold(uphold, electors, terms.threshold_bps),
        contributions=tuple(listed.get(station) for station in stations) if listed else (),
    )
    return Replay(facts, tuple(owners), tuple(stations), events)


def _votes(events: Events, terms: RoundTerms) -> tuple[int, int]:
    """Votes for punishment and votes that uphold."""
    votes = events.get("Voted", [])
    claimed = [event["opening"].claimedAccuracyBps for event in events.get("ResultReported", [])]
    punish = sum(vote["measuredAccuracyBps"] + terms.tolerance_bps < claimed[0] for vote in votes)
    return punish, sum(vote["upholdContributions"] for vote in votes)
