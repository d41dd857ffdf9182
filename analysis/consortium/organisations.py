"""Organisations as folders: each with a key file, a journal and a member.yaml of its own, and a process of its own."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_account import Account

from analysis.devnode.chain import Chain
from fl.faults import Fault

FUNDS = 10**20
"""Wei that each organisation begins with."""

VALUES: Mapping[str, Mapping[str, int]] = {
    "alice": {"0": 14, "1": 9, "2": 11},
    "bob": {"0": 8, "1": 12, "2": 10, "3": 5},
    "carol": {"1": 13, "2": 6, "3": 9},
}
"""Owners: gwei that each label is worth to them."""

COSTS: Mapping[str, int] = {"north": 2, "east": 3, "south": 2}
"""Base stations: gwei that training costs them for each label."""


APE = (str(Path(sys.prefix) / "bin" / "ape"), "run")
OF_CHECKOUTS = ("deploy", "audit")
"""Commands that need the contract's sources, or the reference."""


class ConsortiumError(Fault, RuntimeError):
    """The consortium did not come to its end; the text says what happened."""


@dataclass(frozen=True)
class Organisation:
    """One member's machine.

    Attributes:
        name: the alias of its key file, too.
        role: "owner" or "base station".
        side: its number among those, from 0.
        folder: everything that is its own.
        address: its account's.
        passphrase: of its key file.
        program: what its commands begin with.
    """

    name: str
    role: str
    side: int
    folder: Path
    address: str
    passphrase: str
    program: tuple[str, ...]

    @property
    def config(self) -> Path:
        """Its member.yaml."""
        return self.folder / "member.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """What its commands run in."""
        own = {
            "APE_DATA_FOLDER": str(self.folder / "ape"),
            f"APE_ACCOUNTS_{self.name}_PASSPHRASE": self.passphrase,
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **own}

    def command(self, *words: str) -> list[str]:
        """A command of its program; what only a checkout has is the checkout's."""
        return [*(APE if words[0] in OF_CHECKOUTS else self.program), *words]

    def _place(self, command: Sequence[str]) -> Path | None:
        """Where it types a command: an installed program's outside the checkout."""
        return self.folder if self.program != APE and command[0] == self.program[0] else None

    def run(self, *words: str, timeout: float = 300) -> str:
        """Have it run a command to its end; what that printed.

        Raises:
            ConsortiumError: it failed, or takes too long.
        """
        command, typed = self.command(*words), f"{self.name}: `ape run {' '.join(words)}`"
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=self._place(command),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConsortiumError(f"{typed} takes longer than {timeout:.0f} s") from None
        if done.returncode:
            raise ConsortiumError(f"{typed}: {(done.stdout + done.stderr).strip()}")
        return done.stdout

    def start(
        self,
        words: Sequence[str],
        program: Sequence[str] | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> "subprocess.Popen[str]":
        """Leave a command running; it writes to a log in its folder.

        Args:
            words: the command's.
            program: what runs it; None: `ape run`.
            environment: beside its own.
        """
        command = self.command(*words) if program is None else [*program, *words]
        with (self.folder / "member.log").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                command,
                env={**self.environment, **environment},
                cwd=self._place(command),
                stdout=log,
                stderr=log,
                text=True,
            )


def found(root: Path, chain: Chain, program: Sequence[str] = APE) -> list[Organisation]:
    """Found all organisations: three owners, three base stations; each has a key file, and ether.

    Args:
        root: a folder for each goes here.
        chain: where their accounts get ether.
        program: what their commands begin with.
    """
    made = []
    names = [(name, "owner") for name in VALUES] + [(name, "base station") for name in COSTS]
    for number, (name, role) in enumerate(names):
        folder, passphrase = root / name, secrets.token_hex(16)
        (folder / "ape" / "accounts").mkdir(parents=True)
        account = Account.create()
        key_file = Account.encrypt(account.key, passphrase, iterations=2)
        (folder / "ape" / "accounts" / f"{name}.json").write_text(json.dumps(key_file), encoding="utf-8")
        chain.rpc("hardhat_setBalance", account.address, hex(FUNDS))
        made.append(Organisation(name, role, number % len(VALUES), folder, account.address, passphrase, tuple(program)))
    return made


def configure(
    member: Organisation,
    nodes: Sequence[str],
    store: str,
    options: Mapping[str, Any],
    proposers: Collection[str] = tuple(VALUES),
) -> None:
    """Write its member.yaml.

    Args:
        member: whose.
        nodes: addresses of nodes, in its order of preference.
        store: address of the store that all share.
        options: with its own credentials.
        proposers: names of those that propose a model.
    """
    configuration = _configuration(member, nodes, store, options)
    if member.role == "owner" and member.name not in proposers:
        del configuration["plan"]["propose"]
    member.config.write_text(json.dumps(configuration), "utf-8")


def _configuration(
    organisation: Organisation, nodes: Sequence[str], store: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    name, root, side = organisation.name, organisation.folder.parent, organisation.side
    common: dict[str, Any] = {
        "nodes": list(nodes),
        "contract": str(root / "31337.json"),
        "account": name,
        "role": organisation.role,
        "store": store,
        "store_options": dict(options),
        "journal": str(organisation.folder / "journal.sqlite"),
        "membership": str(root / "membership.json"),
        "confirmations": 1,
        "margins": {"begin": 60},
        "most_lock": "400 gwei",  # there is no second round yet when it starts
    }
    if organisation.role == "base station":
        data = {"dataset": "digits", "part": [side, len(COSTS)], "clients": 2}
        return {**common, "plan": {"cost_per_label": COSTS[name]}, "data": data}
    values = VALUES[name]
    propose = {
        "targets": sorted(values),
        "claimed_accuracy": 0.8,
        "global_rounds": 2,
        "seed": side,
        "rule": "median",
        "loss": "cross_entropy(label_smoothing=0.05)",
        "strategy": "FedAvgM(momentum=0.1)",  # carries something over every kill
    }
    data = {"dataset": "digits", "part": [side, len(VALUES)]}
    return {**common, "plan": {"values": dict(values), "propose": propose}, "data": data}
