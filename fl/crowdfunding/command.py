"""The command `ape run crowdfund_round`: options in, a played, shown, written and checked round out."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click
from ape import accounts, chain, networks, project
from ape.api import AccountAPI, ProviderAPI, TestProviderAPI
from ape.logging import LogLevel, logger
from rich.console import Console

from analysis.check_round import check
from fl.artefacts import ArtefactError
from fl.crowdfunding.checks import check_artefacts, check_books
from fl.crowdfunding.clock import Clock
from fl.crowdfunding.document import document_of, write
from fl.crowdfunding.play import Play, Played
from fl.crowdfunding.settings import Misbehaviour, RoundSettings, SettingsError
from fl.crowdfunding.show import RichWatcher, show_tables
from fl.market.deployment import deploy
from fl.market.refusals import MarketError
from fl.market.terms import Policy
from fl.market.views import ViewError
from fl.training.errors import TrainingError

FUNDS = 100 * 10**18
"""Wei that an account made for a development node is given."""


def run(options: Mapping[str, Any]) -> None:
    """Play, show, write and check a round.

    Raises:
        click.ClickException: it could not be played, with the reason in a line.
    """
    console = Console()
    folder = _folder(options["out"])
    _log_to(folder / "round.log")
    logger.set_level(LogLevel.ERROR)
    try:
        settings = _settings(options)
        play = _stage(settings, folder, console)
        played = play.run()
    except (SettingsError, TrainingError, MarketError, ViewError, ArtefactError) as error:
        _refuse(str(error))
    document = document_of(play.market, played)
    path = folder / "round.json"
    write(document, path)
    show_tables(console, document, played)
    found = _verify(play, played, document)
    console.print(f"\nWritten: {path}, and beside it artefacts/, mailbox/ and round.log", highlight=False)
    if found:
        for line in found:
            console.print(f"[bold red]off[/bold red]  {line}", highlight=False)
        sys.exit(1)
    console.print(
        f"[bold green]Checked[/bold green]  {len(played.record.members)} members' payments against the reference, "
        "conservation to the wei, final balances, every artefact against its digest on chain.",
        highlight=False,
    )


def _settings(options: Mapping[str, Any]) -> RoundSettings:
    flags = {
        "non_revealer": Misbehaviour.NON_REVEALER,
        "bad_winner": Misbehaviour.BAD_WINNER,
        "absent_station": Misbehaviour.ABSENT_STATION,
    }
    raised = [name for name in flags if options[name]]
    if len(raised) > 1:
        raise SettingsError("one member misbehaves: choose one of --non-revealer, --bad-winner, --absent-station")
    policy = Policy[options["policy"].upper()]
    claim = options["claim"]
    return RoundSettings(
        owners=options["owners"],
        base_stations=options["base_stations"],
        clients=options["clients"],
        models=options["models"],
        owner_policy=Policy.CAPABILITY if policy is Policy.CAPABILITY else Policy.EQUAL,
        base_policy=policy,
        seed=options["seed"],
        dataset=options["dataset"],
        data_dir=None if options["data_dir"] is None else Path(options["data_dir"]),
        model=options["model"],
        train_images=options["train_images"],
        test_images=options["test_images"],
        rounds=options["rounds"],
        alpha=options["alpha"],
        misbehaviour=flags[raised[0]] if raised else Misbehaviour.NONE,
        phase_seconds=options["phase_seconds"],
        claim_bps=None if claim is None else round(claim * 10_000),
        local_epochs=options["local_epochs"],
        edge_rounds=options["edge_rounds"],
    )


def _stage(settings: RoundSettings, folder: Path, console: Console) -> Play:
    """Everything is in place: accounts, a deployment, the data."""
    provider = networks.provider
    members = _accounts(1 + settings.owners + settings.base_stations, provider)
    market = deploy(project, members[0])
    return Play(settings, market, members, Clock(chain, provider), folder, RichWatcher(console))


def _accounts(count: int, provider: ProviderAPI) -> list[AccountAPI]:
    """The node's test accounts, and more of them where a development node can fund them."""
    test_accounts = accounts.test_accounts
    if provider.network.name not in ("local",) and not provider.network.is_adhoc:
        _refuse(
            "this command plays every member with the test accounts of a development node, and "
            f"{provider.network.name} is none: choose --network ethereum:local:foundry, or the address of an anvil node"
        )
    have = len(test_accounts)
    members = [test_accounts[index] for index in range(min(count, have))]
    if count > have:
        if not isinstance(provider, TestProviderAPI):
            _refuse(f"this node has {have} test accounts, and the round needs {count}")
        for _ in range(count - have):
            account = test_accounts.generate_account()
            provider.set_balance(account.address, FUNDS)
            members.append(account)
    return members


def _verify(play: Play, played: Played, document: dict[str, Any]) -> list[str]:
    """Every discrepancy between what happened and what the mechanism, the books and the artefacts say."""
    checks: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        ("reference", lambda: check(document)),
        ("books", lambda: check_books(play.market, played)),
        ("artefacts", lambda: check_artefacts(played, play.store)),
    )
    return [f"{name}: {line}" for name, held in checks for line in held()]


def _folder(out: str | None) -> Path:
    folder = Path("rounds") / time.strftime("%Y%m%d-%H%M%S") if out is None else Path(out)
    if (folder / "round.json").exists():
        _refuse(f"{folder} holds a finished round already: name another folder with --out, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _refuse(f"the folder {folder} cannot be made: {error.strerror}")
    return folder


def _log_to(path: Path) -> None:
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    for name in ("hcfl", "fl"):
        log = logging.getLogger(name)
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        log.propagate = False


def _refuse(reason: str) -> NoReturn:
    raise click.ClickException(reason)
