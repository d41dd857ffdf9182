"""`ape run explorer`: the rounds of a deployment as pages that follow them."""

from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
import web  # noqa: F401
from fl.commands.command import Command
from fl.commands.options import access_of, membership_option


@click.command(cls=Command)
@network_option(default=None)
@membership_option
@click.option("--config", metavar="FILE", help="A member.yaml, for what no option says.")
@click.option("--contract", metavar="ADDRESS|FILE", help="Or the record in deployments/.")
@click.option("--host", default="127.0.0.1", help="Address to listen on, by default for this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one.")
def cli(provider: ProviderAPI | None, host: str, port: int, **place: Any) -> None:
    """Show the rounds of a deployment in a browser, as they go on, and their reports once they are over.

    Whatever is shown is public: the node is read, nothing is ever sent.
    """
    from web.serve import serve

    serve(access_of(provider, **place), host, port)
