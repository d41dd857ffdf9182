"""What several calls are held to; each yields the names of the errors."""

from collections.abc import Iterator, Sequence

from fl.market.bids import word_count
from fl.market.terms import Role, Status
from tests.contracts.stateful.state import Place, Round, World

Errors = Iterator[str]


def before(world: World, deadline: int) -> Errors:
    if world.now >= deadline:
        yield "DeadlinePassed"


def after(world: World, deadline: int) -> Errors:
    if world.now < deadline:
        yield "PhaseNotOpen"


def in_status(round_: Round, wanted: Status) -> Errors:
    if round_.stored is not wanted:
        yield "WrongStatus"


def is_a(place: Place | None, role: Role) -> Errors:
    if place is None:
        yield "NotAMember"
    elif place.role is not role:
        yield "WrongRole"


def supplied(round_: Round, place: Place, words: Sequence[int]) -> Errors:
    """The bids that somebody supplies again for a member that committed and is not settled."""
    if list(words) != round_.words_of(place):
        yield "WrongBids"


def length(round_: Round, words: Sequence[int], vectors: int = 1) -> Errors:
    if len(words) != vectors * word_count(len(round_.models)):
        yield "WrongBidLength"
