"""What several calls are held to; each yields the names of the errors."""

from collections.abc import Iterator, Sequence

from fl.market.bids import word_count
from fl.market.terms import Role, Status
from tests.contracts.stateful.state import Place, Round, World

Errors = Iterator[str]


def before(world: World, deadline: int) -> Errors:
    if world.now >= deadline:
        yield "DeadlinePassed"


def after(world: World, opens_at: int) -> Errors:
    if world.now < opens_at:
        yield "PhaseNotOpen"


def in_status(round_: Round, wanted: Status) -> Errors:
    if round_.stored is not wanted:
        yield "WrongStatus"


def is_drawn(round_: Round) -> Errors:
    if not round_.drawn:
        yield "NotDrawn"


def is_a(place: Place | None, role: Role) -> Errors:
    if place is None:
        yield "NotAMember"
    elif place.role is not role:
        yield "WrongRole"


def length(round_: Round, words: Sequence[int], vectors: int = 1) -> Errors:
    if len(words) != vectors * word_count(len(round_.models)):
        yield "WrongBidLength"
