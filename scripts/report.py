"""`ape run report`: a finished round as one page, in words and figures."""

from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
from fl.commands.command import Command
from fl.commands.options import access_of, membership_option


@click.command(cls=Command)
@click.argument("round_", metavar="ROUND")
@network_option(default=None)
@membership_option
@click.option("--config", metavar="FILE", help="A member.yaml, for what no option says.")
@click.option("--contract", metavar="ADDRESS|FILE", help="Or the record in deployments/.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The page.  [default: report.html beside it]"
)
def cli(round_: str, provider: ProviderAPI | None, out: Path | None, **place: Any) -> None:
    """Write a page about a finished round: what happened, why, and where every wei went.

    ROUND is a round.json or the folder that it lies in; or, with --contract and --network, the number of a round, whose
    page is then made from the chain's logs alone. The page is one file and needs no network.
    """
    from analysis.report.command import report

    click.echo(f"Written: {report(round_, access_of(provider, **place), out)}")
