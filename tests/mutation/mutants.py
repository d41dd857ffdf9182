"""The list of changes, and making one."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "mutants"


class MutantError(Exception):
    """A mutant that says nothing about the tests: it cannot be made, compiled or deployed."""


@dataclass(frozen=True)
class Mutant:
    """One change to one contract.

    Attributes:
        file: the source, relative to the repository.
        old: text that is there exactly once.
        new: what stands there instead.
        why: what is wrong then.
        tests: files or tests below `tests/contracts` that should notice first.
        survives: why no test can notice, for one that is known to survive.
    """

    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]
    survives: str = ""

    def changed(self, root: Path) -> str:
        """The source below `root` with the change.

        Raises:
            MutantError: the old text is not there exactly once.
        """
        text = (root / self.file).read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise MutantError(f"{self.file} has this {found} times, not once; update the mutant:\n{self.old}")
        return text.replace(self.old, self.new)


def read_mutants(folder: Path = LISTS) -> list[Mutant]:
    """Every mutant of every list, in the lists' order.

    Raises:
        MutantError: an entry is malformed, or stands there twice.
    """
    mutants: list[Mutant] = []
    for path in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
            try:
                mutant = Mutant(**{**entry, "tests": tuple(entry["tests"])})
            except (KeyError, TypeError) as error:
                raise MutantError(f"{path.name}: {entry.get('why', 'an entry')}: {error}") from error
            if any((mutant.file, mutant.old, mutant.new) == (m.file, m.old, m.new) for m in mutants):
                raise MutantError(f"{path.name}: {mutant.why}: the same change is in the lists twice")
            mutants.append(mutant)
    return mutants
