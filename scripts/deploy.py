"""`ape run deploy`: the contract on a chain, recorded so that anybody can see that it is HCFL."""

import sys
from pathlib import Path

import click
from ape import project
from ape.api import ProviderAPI
from ape.cli import network_option

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import fl  # noqa: F401
from fl.commands.command import Command
from fl.commands.options import account_option, json_option, show


@click.command(cls=Command)
@network_option(default=None)
@account_option
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="deployments",
    show_default=True,
    help="Where the record is written, as <chain id>.json.",
)
@click.option("--replace", is_flag=True, help="Deploy although there is a record; that one is kept beside it.")
@click.option("--check", metavar="ADDRESS|FILE", help="Instead: hold a deployment or its record against the sources.")
@json_option
def cli(
    provider: ProviderAPI | None,
    account: str | None,
    folder: Path,
    replace: bool,
    check: str | None,
    as_json: bool,
) -> None:
    """Deploy HCFL, and record how to verify it.

    If this is interrupted, type it again: a deployment that was signed is found, or sent again, and never made twice.
    """
    from fl.market.connection import account_named, connected, named
    from fl.market.deployment import Deploying, located

    node = named(provider)
    if check is not None:
        located(check)
    else:
        sender = account_named(account)
    with connected(node) as active:
        deploying = Deploying(project, active, folder, lambda text: click.echo(text, err=True))
        if check is not None:
            found = deploying.check(check)
            show(
                {"deployment": check, "off": found},
                [f"off  {line}" for line in found] or [f"{check} is HCFL as the sources here stand"],
                as_json,
            )
            sys.exit(1 if found else 0)
        record = deploying.deploy(sender, replace)
    show(
        {**record.to_json(), "file": str(deploying.path)},
        [
            f"HCFL is at {record.address}",
            f"block {record.block}, transaction {record.transaction}",
            f"Written: {deploying.path}, and beside it {record.standard_input} for explorers",
        ],
        as_json,
    )
