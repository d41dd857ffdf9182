"""A member that is not honest, as a process: `ape run owner` or `base_station` with an act replaced in each round."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analysis.consortium.story import MUTE
from fl.market.terms import Role
from fl.members.access import Access
from fl.members.acts import Member
from fl.members.assembly import Desk
from fl.members.command import run_rounds
from fl.members.configuration import MemberConfiguration
from fl.store import mailbox

Cheat = Callable[[Any], None]
"""Replaces an act of a member."""


def mute(member: Member) -> None:
    """Proposes a model, and tells nobody anything about it."""
    mailbox.send = lambda *arguments: None


def cheats() -> dict[str, Cheat]:
    """All ways to cheat, by name; PyTorch is needed for some."""
    from analysis.consortium.cheats import CHEATS

    return {MUTE: mute, **{name: cheat for name, (cheat, _) in CHEATS.items()}}


def main(arguments: Sequence[str]) -> None:
    """Play as the command would, with cheats in it.

    Args:
        arguments: `--cheat ROUND NAME` for each round with one, then the command and its arguments.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cheat", action="append", nargs=2, default=[], metavar=("ROUND", "NAME"))
    parser.add_argument("command", choices=["owner", "base_station"])
    parser.add_argument("rounds", nargs="+", type=int)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--pause", type=float, default=2)
    given = parser.parse_args(arguments)
    honest, chosen = Desk.member, {int(number): cheats()[name] for number, name in given.cheat}

    def member(self: Desk, round_id: int) -> Member:
        made = honest(self, round_id)
        if round_id in chosen:
            chosen[round_id](made)
        return made

    Desk.member = member  # type: ignore[method-assign]
    access = Access(configuration=MemberConfiguration.read(given.config))
    role = Role.OWNER if given.command == "owner" else Role.BASE_STATION
    ends, statement = run_rounds(access, role, given.rounds, given.pause)
    print("\n".join([*ends, *statement.told()]))


if __name__ == "__main__":
    main(sys.argv[1:])
