"""The command `ape run crowdfund_round`: options in, a played, shown, written and checked round out."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from ape import chain, project
from ape.api import ProviderAPI
from rich.console import Console
from rich.markup import escape

from fl.crowdfunding.folder import DOCUMENT, FOLDERS, LOG, REPORT, round_folder
from fl.crowdfunding.network import accounts_on, check_network
from fl.crowdfunding.settings import RoundSettings, SettingsError, settings_of
from fl.market.connection import connected
from fl.market.deployment import attach, check_address, deploy
from fl.market.refusals import MarketError
from fl.record.document import RoundDocument

TOO_LATE = ("DeadlinePassed", "InvalidDeadline")
"""Errors of the contract that say that a phase was over too soon."""

Check = Callable[[dict[str, Any]], list[str]]
"""What a document has that it should not have, one line for each."""

Report = Callable[[RoundDocument, Path, Path], None]
"""Writes a round, and where its document lies, as a page to a path."""


def run(
    options: Mapping[str, Any],
    provider: ProviderAPI,
    contract: str | None,
    out: str | None,
    check_document: Check,
    report: Report,
) -> bool:
    """Play, show, write and check a round. What is wrong is told as early as it can be: torch takes seconds to load.

    Args:
        options: of the round.
        provider: a node, not yet connected.
        contract: address of a deployment to play on; None: a new one.
        out: folder where everything is left; None: one of its own.
        check_document: holds the document against the reference, of which this package knows nothing.
        report: writes the page about the round.

    Returns:
        Whether all checks passed.

    Raises:
        Fault: it could not be played.
    """
    settings = settings_of(options)
    check_network(provider)
    if contract is not None:
        check_address(contract)
    with round_folder(out) as folder, connected(provider):
        return play_round(settings, provider, contract, folder, check_document, report)


def play_round(
    settings: RoundSettings,
    provider: ProviderAPI,
    contract: str | None,
    folder: Path,
    check_document: Check,
    report: Report,
) -> bool:
    """The same, with a connected node, in a folder that is there."""
    members = accounts_on(provider, 1 + settings.owners + settings.base_stations)
    market = None if contract is None else attach(project, provider, contract)
    # Whole without colour: rich would still set bold where NO_COLOR asks for none.
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto", emoji=False)
    console.print("Setting the stage ...")

    # From here on with torch.
    from fl.crowdfunding.cast import Cast
    from fl.crowdfunding.checks import check_artefacts, check_books
    from fl.crowdfunding.clock import Clock
    from fl.crowdfunding.play import Play
    from fl.crowdfunding.show import RichWatcher, show_tables
    from fl.crowdfunding.simulated import Stage
    from fl.record.document import to_json, write

    stage = Stage.of(settings)
    market = market or deploy(project, members[0])
    clock, watcher = Clock(chain, provider), RichWatcher(console)
    with ExitStack() as stack:
        try:
            cast = stack.enter_context(closing(Cast.of(stage, market, members, folder, watcher, clock.now)))
            Play(settings, cast, clock, watcher).run()
        except MarketError as error:
            if error.name in TOO_LATE:
                raise SettingsError(f"--phase-seconds {settings.phase_seconds} is too short here: {error}") from error
            raise
        played = cast.played()
        document = played.document
        path = folder / DOCUMENT
        write(document, path)
        report(document, path, folder / REPORT)
        show_tables(console, document, played)
        # A path stays in one piece for who copies it.
        written = f"\nWritten: {path}, and beside it {'/, '.join(FOLDERS)}/ and {LOG}\nReport: {folder / REPORT}"
        console.print(written, highlight=False, markup=False, soft_wrap=True)
        found = [
            *(f"reference: {line}" for line in check_document(to_json(document))),
            *(f"books: {line}" for line in check_books(market, played)),
            *(f"artefacts: {line}" for line in check_artefacts(played)),
        ]
    for line in found:
        console.print(f"[bold red]off[/bold red]  {escape(line)}", highlight=False)
    if not found:
        console.print(
            f"[bold green]Checked[/bold green]  {len(played.record.members)} members' payments against the reference, "
            "conservation to the wei, final balances, every artefact against its digest on chain.",
            highlight=False,
        )
    return not found
