"""Rebuilds a round from its events alone, as the reference in `analysis` takes it."""

from dataclasses import dataclass
from typing import Any

from analysis.devnode.market import Market
from analysis.round_facts import Member, Round
from analysis.settlement import is_punished
from fl.market.bids import unpack_bids
from fl.market.terms import Policy, Role

POLICY_NAMES = {Policy.EQUAL: "equal", Policy.CAPABILITY: "capability", Policy.CONTRIBUTION: "contribution"}


@dataclass(frozen=True)
class Replay:
    """A round as its events tell it; accounts are in the order in which they joined, as in `facts`."""

    facts: Round
    owners: tuple[str, ...]
    stations: tuple[str, ...]


def replay(market: Market, round_id: int) -> Replay:
    """Read a round's events. Theta is read from its state, since tests may replace what was drawn."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for log in market.logs_of(round_id):
        by_name.setdefault(log.name, []).append(log.values)

    params = by_name["RoundCreated"][0]["params"]
    proposers = [proposed["proposer"] for proposed in by_name.get("ModelProposed", [])]
    committed = {event["member"] for event in by_name.get("BidCommitted", [])}
    revealed = {
        event["member"]: tuple(unpack_bids(event["bids"], len(proposers))) for event in by_name.get("BidRevealed", [])
    }
    recorded = {event["station"] for event in by_name.get("UpdateRecorded", [])}
    joined: dict[Role, dict[str, Member]] = {Role.OWNER: {}, Role.BASE_STATION: {}}
    for event in by_name.get("Joined", []):
        account = event["member"]
        joined[Role(event["role"])][account] = Member(
            bids=revealed.get(account, ()),
            points=event["points"],
            committed=account in committed,
            revealed=account in revealed,
            recorded=account in recorded,
        )
    owners, stations = joined[Role.OWNER], joined[Role.BASE_STATION]
    listed = {event["station"]: event["points"] for event in by_name.get("ContributionReported", [])}
    votes_for = sum(event["punish"] for event in by_name.get("Voted", []))
    electors = sum(owner.committed for owner in owners.values()) - 1
    facts = Round(
        owners=tuple(owners.values()),
        base_stations=tuple(stations.values()),
        proposers=tuple(list(owners).index(proposer) for proposer in proposers),
        theta_numerator=market.view("roundOf", round_id).thetaNumerator,
        max_owner_bid=params.maxOwnerBid,
        max_base_bid=params.maxBaseBid,
        bond=params.bond,
        owner_policy=POLICY_NAMES[Policy(params.ownerPolicy)],  # type: ignore[arg-type]
        base_policy=POLICY_NAMES[Policy(params.basePolicy)],  # type: ignore[arg-type]
        selected_in_time=bool({"ModelSelected", "NothingSelected"} & set(by_name)),
        global_round_recorded="GlobalRoundRecorded" in by_name,
        reported="ResultReported" in by_name,
        punished=is_punished(votes_for, electors, params.punishThresholdBps),
        contributions=tuple(listed.get(station) for station in stations) if listed else (),
    )
    return Replay(facts, tuple(owners), tuple(stations))
