"""A small round for each way in which one can end, as facts."""

from dataclasses import replace

from analysis.mechanism import WEI_PER_GWEI
from analysis.round_facts import Member, Round

# Model 1 is selected; carol, the third owner, and north, the first base station, are pivotal (tests/conftest.py).
_OWNERS = tuple(Member(bids) for bids in ((30, 20), (30, 10), (12, 60)))
_STATIONS = (Member((28, 2), recorded=3), Member((1, 14), recorded=3), Member((1, 14), revealed=False, recorded=3))

SETTLED = Round(
    owners=_OWNERS,
    stations=_STATIONS,
    proposers=(0, 1),
    claimant=2,
    theta_numerator=2**63,
    max_owner_bid=100,
    max_station_bid=50,
    bond=200 * WEI_PER_GWEI,
    stake=30 * WEI_PER_GWEI,
    global_rounds=3,
    upheld=True,
    contributions=(500_000, 300_000, 200_000),
)


def _sealed(*members: Member) -> tuple[Member, ...]:
    return tuple(replace(member, revealed=False, recorded=0) for member in members)


def _away(*members: Member) -> tuple[Member, ...]:
    return tuple(replace(member, committed=False, revealed=False, recorded=0) for member in members)


_UNDRAWN = replace(
    SETTLED, owners=_sealed(*_OWNERS), stations=_sealed(*_STATIONS), claimant=None, upheld=False, contributions=()
)

ENDS: dict[str, Round] = {
    "settled": SETTLED,
    "by capability": replace(
        SETTLED,
        owner_policy="capability",
        theta_numerator=0,
        owners=tuple(replace(owner, points=points) for owner, points in zip(_OWNERS, (5, 1, 2), strict=True)),
    ),
    "a silent owner, a partial station": replace(
        SETTLED,
        owners=(_OWNERS[0], *_sealed(_OWNERS[1]), _OWNERS[2]),
        stations=(replace(_STATIONS[0], recorded=1), *_STATIONS[1:]),
        contributions=(500_000, 500_000, 0),
    ),
    "nobody recorded": replace(
        SETTLED, stations=tuple(replace(station, recorded=0) for station in _STATIONS), contributions=(), upheld=False
    ),
    "punished": replace(SETTLED, punished=True),
    "nothing trained": replace(SETTLED, owners=tuple(Member(bids) for bids in ((1, 2), (1, 0), (4, 3)))),
    "aborted": replace(SETTLED, reported=False, stations=(replace(_STATIONS[0], recorded=1), *_STATIONS[1:])),
    "cancelled: too few": replace(_UNDRAWN, owners=(*_sealed(_OWNERS[0]), *_away(*_OWNERS[1:]))),
    "cancelled: no live model": replace(_UNDRAWN, owners=(*_away(_OWNERS[0]), *_sealed(*_OWNERS[1:])), proposers=(0,)),
    "cancelled: not drawn": _UNDRAWN,
    "cancelled: not selected": replace(
        SETTLED,
        selected_in_time=False,
        owners=(*_OWNERS[:2], *_sealed(_OWNERS[2])),
        stations=tuple(replace(station, recorded=0) for station in _STATIONS),
    ),
    "cancelled: no base station opened": replace(SETTLED, stations=_sealed(*_STATIONS)),
}


def status_of(end: str) -> str:
    """How the page names that end."""
    if end in ("punished", "nothing trained", "aborted"):
        return end
    return "cancelled" if end.startswith("cancelled") else "settled"
