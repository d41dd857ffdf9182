"""A member that is not honest, as a process: `ape run owner` or `base_station` with one of its acts replaced."""

import sys
from collections.abc import Callable, Sequence

from fl.members.acts import Member
from fl.members.assembly import Desk
from fl.store import mailbox
from scripts.base_station import cli as base_station
from scripts.owner import cli as owner

Cheat = Callable[[Member], None]
"""Replaces an act of a member."""


def mute(member: Member) -> None:
    """Proposes a model, and tells nobody anything about it."""
    mailbox.send = lambda *arguments: None  # noqa: B010: mypy knows what a module has


CHEATS: dict[str, Cheat] = {"mute": mute}


def main(arguments: Sequence[str]) -> None:
    """Run the command with the cheat in it.

    Args:
        arguments: the cheat's name, the command, and the command's own.
    """
    name, command, *rest = arguments
    honest = Desk.member

    def member(self: Desk, round_id: int) -> Member:
        made = honest(self, round_id)
        CHEATS[name](made)
        return made

    Desk.member = member  # type: ignore[method-assign]
    (owner if command == "owner" else base_station)(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
