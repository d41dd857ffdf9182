"""What the page to take part is told by the server: the contract in words, and what is public about one account."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fl.market.client import interface
from fl.market.membership_file import MembershipList
from fl.market.refusals import ROLE_WORDS, WORDS, status_words
from fl.market.terms import Phase, Status
from fl.market.terms_file import POLICIES
from web.reader import Snapshot
from web.view import WAITS


def contract(snapshot: Snapshot) -> dict[str, Any]:
    """The deployment, its interface, and the words for what it says; no address before the node was first read."""
    words = {
        "errors": WORDS,
        "roles": ROLE_WORDS,
        "statuses": {status: status_words(status) for status in Status},
        "policies": {policy: word for word, policy in POLICIES.items()},
        "phases": [phase.name.lower() for phase in Phase],
        "waits": [WAITS[phase] for phase in Phase],
    }
    return {"contract": snapshot.contract, "chain_id": snapshot.chain_id, "abi": interface(), "words": words}


def member(snapshot: Snapshot, round_id: int, listed: MembershipList | None, account: str) -> dict[str, Any]:
    """What is public about an account in a round.

    Args:
        snapshot: what the server has read.
        round_id: the round.
        listed: the membership list that the server was given.
        account: an address.

    Returns:
        `head`, the newest block that the server has read; `listed`, the account's line and proof as the list's file has
        them; `words`, the packed bids that it revealed; `settled`, wei by name; `claimed_accuracy_bps` of the reported
        model; `drawn_at`, Unix time of the draw. Each is None where there is nothing.
    """
    seen = snapshot.rounds.get(round_id)
    record = None if seen is None else seen.record
    found = None if record is None else record.members.get(account)
    return {
        "head": None if snapshot.head is None else snapshot.head.number,
        "listed": None if listed is None else listed.line(account),
        "words": None if found is None or found.words is None else [f"0x{word:064x}" for word in found.words],
        "settled": None
        if found is None or found.settled is None
        else {name: str(wei) for name, wei in asdict(found.settled).items()},
        "drawn_at": None if record is None else record.drawn_at or None,
        "claimed_accuracy_bps": None if record is None or record.result is None else record.result[1],
    }
