"""`round.json`: a finished round as one document, the interface of every report, figure and check.

Bids and caps are gwei, other amounts wei, accuracies 0 … 1; integers are written as strings where they exceed 2^53.
"""

import json
from pathlib import Path
from typing import Any

from fl.crowdfunding.play import Played
from fl.market.client import Market
from fl.market.history import MemberRecord, Settled
from fl.market.terms import GWEI, Policy, Role

_EXACT = 2**53
"""Integers up to this survive a reader that knows only doubles."""

_STATUS = {"reported": "settled"}


def document_of(market: Market, played: Played) -> dict[str, Any]:
    """The document of a round, integers as integers (see `write` for the file)."""
    record = played.record
    owners, stations = record.side(Role.OWNER), record.side(Role.BASE_STATION)
    return {
        "chain_id": market.chain_id,
        "contract": market.address,
        "round_id": record.round_id,
        "theta_numerator": record.theta_numerator,
        "caps": {"owner": record.max_owner_bid, "base_station": record.max_base_bid},
        "bond": record.bond,
        "threshold": record.punish_threshold_bps,
        "policy": {"owners": _policy(record.owner_policy), "base_stations": _policy(record.base_policy)},
        "status": _STATUS.get(record.status, record.status),
        "selected": record.selected,
        "pool": _pool(played),
        "models": _models(played),
        "owners": [_member(played, member) for member in owners],
        "base_stations": [_member(played, member) for member in stations],
        "training": _training(played),
        "contributions": [member.points_reported for member in stations],
        "votes": [
            {"account": vote.account, "punish": vote.punish, "measured_accuracy": vote.measured_accuracy_bps / 10_000}
            for vote in record.votes
        ],
        "punished": record.punished,
        "collected": {"owners": _collected(played, Role.OWNER), "base_stations": _collected(played, Role.BASE_STATION)},
        "transactions": [
            {"call": tx.call, "sender": tx.sender, "hash": tx.hash, "block": tx.block, "gas_used": tx.gas_used}
            for tx in market.transactions
        ],
    }


def write(document: dict[str, Any], path: Path) -> None:
    """Write the document, whole or not at all; integers beyond 2^53 as strings."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(_portable(document), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    return value


def _policy(policy: Policy) -> str:
    return policy.name.lower()


def _sums(played: Played) -> tuple[list[int], list[int]]:
    """Wei of the revealed bids for each model: values, costs."""
    count = len(played.record.models)
    values, costs = ([0] * count, [0] * count)
    for role, sums in ((Role.OWNER, values), (Role.BASE_STATION, costs)):
        for member in played.record.side(role):
            for model, bid in enumerate(member.bids(count)):
                sums[model] += bid * GWEI
    return values, costs


def _pool(played: Played) -> int:
    """C = K + θ (V − K) at the selected model, rounded down; 0 without one."""
    record = played.record
    if record.selected is None:
        return 0
    values, costs = _sums(played)
    value, cost = values[record.selected], costs[record.selected]
    return cost + record.theta_numerator * (value - cost) // 2**64


def _models(played: Played) -> list[dict[str, Any]]:
    values, costs = _sums(played)
    return [
        {
            "proposer": model.proposer,
            "live": model.live,
            "targets": list(targets),
            "training_rounds": model.training_rounds,
            "claimed_accuracy": claim / 10_000,
            "value": value,
            "cost": cost,
            "margin": value - cost,
        }
        for model, targets, claim, value, cost in zip(
            played.record.models, played.targets, played.claims, values, costs, strict=True
        )
    ]


def _member(played: Played, member: MemberRecord) -> dict[str, Any]:
    settled = member.settled or Settled(0, 0, 0, 0, 0)
    owner = member.role is Role.OWNER
    return {
        "account": member.account,
        "points": member.points,
        "committed": member.committed,
        "revealed": member.words is not None,
        "recorded": bool(member.updates),
        "bids": member.bids(len(played.record.models)),
        "share": settled.share if owner else -(settled.reward + settled.forfeited),
        "tax": settled.tax,
        "reward": settled.reward,
        "forfeited": settled.forfeited,
        "slashed": settled.slashed,
        "rebate": played.rebates[member.account],
        "payment": settled.payment,
        "balance_before": played.before[member.account],
        "balance_after": played.after[member.account],
    }


def _collected(played: Played, role: Role) -> int:
    """Everything that goes back to a side as rebates."""
    record = played.record
    total = 0
    for member in record.side(role):
        if (settled := member.settled) is None:
            continue
        total += settled.tax + settled.forfeited
        # A winner's bond that was slashed by vote belongs to the base stations' side; a silent one's to its own.
        by_vote = record.punished and member.account == record.winner and member.words is not None
        if not by_vote:
            total += settled.slashed
    if role is Role.BASE_STATION and record.punished and record.winner is not None:
        winner = record.members[record.winner]
        if winner.settled is not None and winner.words is not None:
            total += winner.settled.slashed
    return total


def _training(played: Played) -> dict[str, Any] | None:
    if played.training is None or played.federation is None or played.record.selected is None:
        return None
    return {
        "dataset": played.federation.config.dataset,
        "model": played.federation.model.name,
        "initial_digest": played.training.initial_digest,
        "result_digest": played.training.result_digest,
        "epochs": [
            {
                "epoch": each.epoch,
                "global_digest": each.global_digest,
                "accuracy": each.evaluation.accuracy,
                "loss": each.evaluation.loss,
                "updates_root": "0x" + each.updates_root.hex(),
            }
            for each in played.training.epochs
        ],
        "claimed_accuracy": played.claims[played.record.selected] / 10_000,
        "final_accuracy": played.training.final.accuracy,
    }
