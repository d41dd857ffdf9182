"""What several commands of `ape run` take and give."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from ape.api import ProviderAPI

if TYPE_CHECKING:
    from fl.members.access import Access

Function = TypeVar("Function", bound=Callable[..., Any])


def account_option(command: Function) -> Function:
    """Who signs: one of ape's accounts."""
    return click.option("--account", metavar="ALIAS", help="One of `ape accounts list`, or TEST::0 on anvil.")(command)


def place_options(command: Function) -> Function:
    """Where the contract is and who acts; beside `network_option`."""
    options = (
        click.option("--config", metavar="FILE", help="A member.yaml, for what no option says."),
        click.option("--contract", metavar="ADDRESS|FILE", help="Or the record in deployments/."),
        account_option,
    )
    for option in options:
        command = option(command)
    return command


def membership_option(command: Function) -> Function:
    """The list of members."""
    return click.option("--membership", metavar="FILE", type=click.Path(path_type=Path), help="The membership list.")(
        command
    )


def rounds_argument(command: Function) -> Function:
    """Numbers of rounds."""
    return click.argument("rounds", nargs=-1, required=True, type=click.IntRange(1))(command)


def pause_option(command: Function) -> Function:
    """How often the chain is looked at."""
    least = click.FloatRange(0.05, 600)
    return click.option("--pause", type=least, default=2, show_default=True, help="Seconds between two looks.")(command)


def access_of(
    provider: ProviderAPI | None,
    config: str | None = None,
    contract: str | None = None,
    account: str | None = None,
    membership: Path | None = None,
) -> "Access":
    """What these options say; what is wrong in a file is told before anything else happens."""
    from fl.members.access import Access
    from fl.members.configuration import MemberConfiguration

    configuration = None if config is None else MemberConfiguration.read(Path(config))
    return Access(provider, contract, account, membership, configuration)


def json_option(command: Function) -> Function:
    """Whether a program reads the answer."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def show(document: Any, lines: Sequence[str], as_json: bool) -> None:
    """Answer a program or a person."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False) if as_json else "\n".join(lines))
