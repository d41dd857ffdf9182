"""A member as its member.yaml describes it, put together from its parts."""

from __future__ import annotations

import hmac
import importlib
import importlib.util
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click

from fl.market.client import Market
from fl.market.membership_file import MembershipList
from fl.market.refusals import MarketError
from fl.market.terms import Role
from fl.members.access import Access
from fl.members.acts import Member
from fl.members.apart import Apart
from fl.members.configuration import SAFE, MemberConfiguration, OwnerPlan, StationPlan
from fl.members.facts import Chronicle
from fl.members.journal import Journal, JournalError
from fl.members.outbox import Journaled, Settings
from fl.members.owner import OwnerConduct
from fl.members.owner_acts import Owner
from fl.members.plan import Cost, Worth, by_label, per_label
from fl.members.rounds import Conduct
from fl.members.station_acts import BaseStation
from fl.store.files import Files
from fl.store.signed import Domain
from fl.yaml_file import ConfigurationError

ALERT_SECONDS = 60
"""That a command for alerts may take."""


@dataclass(frozen=True)
class Desk:
    """All that a member needs, ready.

    Attributes:
        configuration: its member.yaml.
        alert: tells its people, by its own command too.
        work: a base station's training, in a process of its own; None: it has no data.
        say: told what its members do, a line each.
    """

    configuration: MemberConfiguration
    market: Market
    journal: Journal
    files: Files
    listed: MembershipList
    access: Access
    outbox: Journaled
    alert: Callable[[str], None]
    work: Apart | None
    say: Callable[[str], None]

    def tend(self) -> None:
        """Look after transactions that are on their way.

        Raises:
            MarketError: the node does not answer, or somebody must do something.
        """
        self.outbox.tend(self.access.signer())

    def chronicle(self, round_id: int) -> Chronicle:
        """A reader of a round."""
        wanted = self.configuration.confirmations
        return Chronicle(self.market, round_id, None if wanted == SAFE else max(0, int(wanted) - 1))

    def member(self, round_id: int) -> Member:
        """The member in a round.

        Raises:
            MarketError: the round has another membership list, or the account is not on it.
            ConfigurationError: its plan cannot be used.
        """
        configuration, account = self.configuration, self.access.signer()
        terms, door = self.market.terms(round_id)
        if terms.door(self.listed.root) != door:
            raise MarketError(f"round {round_id} has another membership list than {configuration.membership}")
        found = self.listed.find(str(account.address))
        if found is None or found.entry.role is not configuration.role:
            raise MarketError(f"{account.address} is not on the membership list as {configuration.role.name.lower()}")
        if configuration.data is not None and (function := configuration.data.function) and not _is_there(function):
            self.alert(
                f"data.function {function} of {configuration.path} cannot be imported here: without it nothing can be "
                "trained or judged; is its folder in PYTHONPATH?"
            )
        own = (self.market, round_id, self.journal, self.files, self.listed)
        proof = self.listed.tree.proof(found.entry)
        name = found.name or configuration.account
        rest = (found.entry.points, proof, lambda what: self.say(f"{name} {what}"), self.alert)
        how: dict[str, Any] = {"reserve": configuration.margins.begin, "most_lock": configuration.most_lock}
        if configuration.role is Role.OWNER:
            plan = configuration.plan if isinstance(configuration.plan, OwnerPlan) else OwnerPlan()
            conduct = OwnerConduct(**how, proposes=plan.propose is not None)
            work = _owner_work(configuration, plan)
            return Owner(name, account, *own, conduct, *rest, worth=_worth(plan), work=work)
        costs = configuration.plan if isinstance(configuration.plan, StationPlan) else StationPlan()
        privacy = None if configuration.data is None else configuration.data.privacy
        if self.work is not None and privacy is not None:
            self.work.secret = noise_secret(self.journal, round_id)
        of_side: dict[str, Any] = {"cost": _cost(costs), "work": self.work, "privacy": privacy}
        return BaseStation(name, account, *own, Conduct(**how), *rest, **of_side)


@contextmanager
def desk(access: Access, say: Callable[[str], None] = click.echo) -> Iterator[Desk]:
    """Open everything that a member has.

    Args:
        access: who and where.
        say: told what it does.

    Raises:
        Fault: something of it cannot be used; nothing was sent.
    """
    configuration = access.configuration
    if configuration is None:
        raise MarketError("no member is named: --config member.yaml")
    alert = _alert(configuration.alert)
    with access.market() as plain:
        domain = Domain(plain.chain_id, plain.address)
        listed = access.members(domain)
        if listed is None:
            raise MarketError(f"there is no membership list {configuration.membership}: ask its maker for it")
        account = access.signer()
        with Journal(configuration.journal, str(account.address), domain.chain_id, domain.contract) as journal:
            outbox = Journaled(journal, plain.contract.provider, Settings(fee_cap=configuration.fee_cap), say=alert)
            market = plain.sending(outbox)
            files = Files(configuration.store, configuration.store_options)
            if not files.are_there():
                click.echo(f"nothing can be seen in the store {files.address} yet: is it the right one?", err=True)
            work = None if configuration.data is None else Apart(configuration.data)
            try:
                yield Desk(configuration, market, journal, files, listed, access, outbox, alert, work, say)
            finally:
                if work is not None:
                    work.stop()


def _alert(command: str | None) -> Callable[[str], None]:
    """Says loudly what people have to know; runs their command with the message as its last argument.

    Nobody waits for the command: the member acts on while it runs.

    Raises:
        ConfigurationError: the command cannot be read.
    """
    try:
        words = shlex.split(command or "")
    except ValueError as error:
        raise ConfigurationError(f"alert: {command} is no command: {error}") from error

    def call(text: str) -> None:
        try:
            subprocess.run([*words, text], check=True, timeout=ALERT_SECONDS, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            click.echo(f"ALERT the alert command did not work: {error}", err=True)

    def tell(text: str) -> None:
        click.echo(f"ALERT {text}", err=True)
        if words:
            threading.Thread(target=call, args=(text,)).start()

    return tell


def _is_there(function: str) -> bool:
    """Whether there is the module of a member's own function; it may take long to import, and is where it is needed."""
    try:
        return importlib.util.find_spec(function.partition(":")[0]) is not None
    except Exception:  # of the packages that it is in
        return False


def _function(path: str, what: str) -> Callable[[Any], Any]:
    """A member's own function; its own configuration names it, nobody else can."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the function {path} of {what} cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"{path} is no function, and {what} needs one")
    return found  # type: ignore[no-any-return]


def _checked(path: str, what: str) -> Callable[[Any], int]:
    function = _function(path, what)

    def gwei(view: Any) -> int:
        try:
            found = function(view)
        except Exception as error:
            raise ConfigurationError(f"{path} raised {type(error).__name__}: {error}") from error
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise ConfigurationError(f"{path} returned {found!r}: {what} is whole gwei, 0 or more")
        return found

    return gwei


def _worth(plan: OwnerPlan) -> Worth:
    if plan.function is not None:
        return _checked(plan.function, "what a model is worth")
    return by_label(plan.values, plan.accuracy_exponent)


def _cost(plan: StationPlan) -> Cost:
    return per_label(plan.cost_per_label) if plan.function is None else _checked(plan.function, "what training costs")


class _Later:
    """A member's work, put together when it is first asked for.

    PyTorch takes longer to load than all else that a member needs to start; whoever is started again in the middle of
    a phase has to reveal or vote first, and may have nothing to train.
    """

    def __init__(self, make: Callable[[], Any]):
        self._make = make

    @cached_property
    def _work(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


def _owner_work(configuration: MemberConfiguration, plan: OwnerPlan) -> Any:
    data, model = configuration.data, plan.propose
    if data is None:
        return None
    from fl.training.config import DEFAULTS, TrainingConfig

    settings = None
    if model is not None:
        settings = TrainingConfig(
            dataset=data.dataset,
            targets=tuple(sorted(model.targets)),
            model=model.model or DEFAULTS[data.dataset].model,
            rounds=model.global_rounds,
            seed=model.seed,
            rule=model.rule,
            strategy=model.strategy,
        )

    def work() -> Any:
        from fl.members.own_data import OwnData
        from fl.members.torch_work import Offer, TorchOwner

        offer = None
        if model is not None and settings is not None:
            offer = Offer(settings, model.station, model.claimed_accuracy_bps)
        return TorchOwner(OwnData(data).test_of, offer)

    return _Later(work)


def noise_secret(journal: Journal, round_id: int) -> bytes:
    """What hides a base station's clients in a round follows from this, which old copies of its journal have too.

    Raises:
        JournalError: it has no encryption key.
    """
    if not (keys := journal.keys()):
        raise JournalError(f"journal {journal.path} has no key: make your key card with `ape run membership --card`")
    of_round = f"HCFL noise {journal.chain_id} {journal.contract} {round_id}"
    return hmac.digest(keys[0], of_round.encode(), "sha256")


def station_work(configuration: MemberConfiguration, secret: bytes | None = None) -> Any:
    """The training of a base station with the data that a member.yaml names, in this process; None: it names none.

    Args:
        configuration: of the member.
        secret: that what hides its clients follows from (`noise_secret`).
    """
    data = configuration.data
    if data is None:
        return None

    def work() -> Any:
        from fl.members.own_data import OwnData
        from fl.members.torch_work import TorchStation

        return TorchStation(OwnData(data).clients_of, data.privacy, secret)

    return _Later(work)
