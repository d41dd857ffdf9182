"""A base station's training done again from its own data, for a dispute about what it recorded."""

from collections.abc import Iterator
from dataclasses import dataclass

from fl.members.acts import Member
from fl.members.facts import Facts
from fl.members.owner import NO_UPDATE
from fl.members.rounds import stations_of
from fl.members.work import StationWork, WorkError
from fl.store.artefacts import digest_of, from_chain
from fl.store.errors import StoreError, ViewError, shown
from fl.store.texts import targets_digest


@dataclass(frozen=True)
class Replayed:
    """One global round of a base station.

    Attributes:
        number: from 0.
        recorded: digest on chain; None: that it was there, without an update.
        again: digest that its data make; None: none could be made.
        why: why not; "" if one was.
    """

    number: int
    recorded: str | None
    again: str | None
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether it is not what was recorded."""
        return self.recorded != self.again

    def __str__(self) -> str:
        where = f"global round {self.number + 1}"
        if self.again is None:
            return f"{where}: {self.recorded or 'no update'} is recorded, and none can be made: {self.why}"
        if self.differs:
            return f"{where}: {self.recorded or 'no update'} is recorded, and these data make {self.again}"
        return f"{where}: the same, {self.again}"


def replay(member: Member, work: StationWork, account: str, facts: Facts) -> Iterator[Replayed]:
    """Train again what a base station recorded.

    Args:
        member: whose keys open the order and the global models; it need not be the base station.
        work: with the base station's own data.
        account: the base station's.
        facts: of the round.

    Raises:
        ViewError: it was ordered to train for other labels than the winner reported.
        StoreError: the order cannot be had.
        NotYet: there is none.
    """
    order, station, reported = member.order(facts), facts.record.members[account], facts.record.targets_digest
    if reported is not None and targets_digest(order.targets) != reported:
        raise ViewError(
            f"the order is for the labels {shown(order.targets, 200)}, and the winner reported a model of others: who "
            f"has trained by it was misled by {facts.record.winner}, which signed it"
        )
    for number, digest in sorted(station.updates.items()):
        recorded = None if digest == NO_UPDATE else from_chain(digest)
        try:
            model = member.global_model(number, facts, order)
            again = digest_of(work.train(order, stations_of(facts)[account], model, number))
        except (StoreError, WorkError) as error:
            yield Replayed(number, recorded, None, str(error))
        else:
            yield Replayed(number, recorded, again)
