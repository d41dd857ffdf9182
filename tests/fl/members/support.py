"""Rounds of the scheduler on a real chain, in which some members are not honest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ape import project

from analysis.check_round import check
from fl.crowdfunding.cast import Cast, Played
from fl.crowdfunding.checks import check_artefacts, check_books
from fl.crowdfunding.clock import Clock
from fl.crowdfunding.network import accounts_on
from fl.crowdfunding.play import Play
from fl.crowdfunding.settings import RoundSettings
from fl.crowdfunding.simulated import Stage
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.deployment import deploy
from fl.members.acts import Member
from fl.record.document import to_json

SMALL: Mapping[str, Any] = {"owners": 3, "base_stations": 3, "models": 1, "rounds": 1, "train_images": 50}


class Heard(Watcher):
    """Remembers what was told, by who did it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def did(self, who: str, what: str) -> None:
        """Remember it."""
        self.lines.append((who, what))

    def of(self, member: Member) -> list[str]:
        """What one member did."""
        return [what for who, what in self.lines if who == member.name]


@dataclass
class Scene:
    """A round that is about to be played: its members can be changed first."""

    play: Cast
    go: Callable[[], None]
    market: Market
    heard: Heard

    def run(self) -> Played:
        """Play it, and hold it against the reference, the books and the artefacts."""
        self.go()
        played = self.play.played()
        assert check(to_json(played.document)) == []
        assert check_books(self.market, played) == []
        assert all(member.settled is not None for member in played.record.members.values())
        return played


def scene(chain: Any, folder: Path, **settings: Any) -> Scene:
    """A small round with these settings, in which training costs nothing: so the model is selected."""
    wanted = RoundSettings(**{**SMALL, **settings})
    accounts = accounts_on(chain.provider, 1 + wanted.owners + wanted.base_stations)
    market, heard = deploy(project, accounts[0]), Heard()
    stage = Stage.of(wanted)
    stage = replace(stage, valuations=replace(stage.valuations, costs=(0,) * wanted.base_stations))
    clock = Clock(chain, chain.provider)
    cast = Cast.of(stage, market, accounts, folder, heard, clock.now)
    return Scene(cast, Play(wanted, cast, clock, heard).run, market, heard)


def assert_artefacts(played: Played) -> None:
    """What an elector can: every global model follows from what was recorded and counts."""
    assert check_artefacts(played) == []
