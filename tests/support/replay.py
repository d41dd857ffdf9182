"""Rebuilds a round from its events alone, as the reference in `analysis` takes it."""

from dataclasses import dataclass
from typing import Any

from analysis.devnode.market import Market
from analysis.round_facts import Member, Round
from analysis.settlement import exceeds_threshold
from fl.market.bids import unpack_bids
from fl.market.terms import Policy, Role, RoundTerms


@dataclass(frozen=True)
class Replay:
    """A round as its events tell it; accounts are in the order in which they joined, as in `facts`."""

    facts: Round
    owners: tuple[str, ...]
    stations: tuple[str, ...]


def replay(market: Market, round_id: int) -> Replay:
    """Read a round's events, all but those of its settlement."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for log in market.logs_of(round_id):
        by_name.setdefault(log.name, []).append(log.values)

    def first(name: str) -> dict[str, Any] | None:
        return by_name.get(name, [None])[0]

    created = by_name["RoundCreated"][0]
    terms = RoundTerms.decode(created["terms"])
    proposed = by_name.get("ModelProposed", [])
    committed = [event["member"] for event in by_name.get("BidCommitted", [])]
    revealed = {
        event["member"]: tuple(unpack_bids(event["bids"], len(proposed))) for event in by_name.get("BidRevealed", [])
    }
    updates = [event["station"] for event in by_name.get("UpdateRecorded", [])]
    joined: dict[Role, dict[str, Member]] = {Role.OWNER: {}, Role.BASE_STATION: {}}
    for event in by_name.get("Joined", []):
        account = event["member"]
        joined[Role(event["role"])][account] = Member(
            bids=revealed.get(account, ()),
            points=event["points"],
            committed=account in committed,
            revealed=account in revealed,
            recorded=updates.count(account),
        )
    owners, stations = joined[Role.OWNER], joined[Role.BASE_STATION]
    listed = {event["station"]: event["points"] for event in by_name.get("ContributionReported", [])}
    drawn, selected, result = first("ClaimantDrawn"), first("ModelSelected"), first("ResultReported")
    claimant = None
    if drawn is not None:
        named = [account for account in committed if account in stations][drawn["ordinal"] - 1]
        claimant = list(stations).index(named)
    votes = by_name.get("Voted", [])
    claimed = result["opening"].claimedAccuracyBps if result else 0
    punishing = sum(vote["measuredAccuracyBps"] + terms.tolerance_bps < claimed for vote in votes)
    upholding = sum(vote["upholdContributions"] for vote in votes)
    electors = sum(owner.committed for owner in owners.values()) - 1
    facts = Round(
        owners=tuple(owners.values()),
        stations=tuple(stations.values()),
        proposers=tuple(list(owners).index(event["proposer"]) for event in proposed),
        claimant=claimant,
        theta_numerator=drawn["thetaNumerator"] if drawn else 0,
        max_owner_bid=terms.max_owner_bid,
        max_station_bid=terms.max_station_bid,
        bond=terms.bond,
        stake=terms.contribution_stake,
        owner_policy="capability" if terms.owner_policy is Policy.CAPABILITY else "equal",
        selected_in_time=bool({"ModelSelected", "NothingSelected"} & set(by_name)),
        global_rounds=proposed[selected["model"]]["proposal"].globalRounds if selected else 1,
        reported=result is not None,
        punished=exceeds_threshold(punishing, electors, terms.threshold_bps),
        upheld=exceeds_threshold(upholding, electors, terms.threshold_bps),
        contributions=tuple(listed.get(station) for station in stations) if listed else (),
    )
    return Replay(facts, tuple(owners), tuple(stations))
