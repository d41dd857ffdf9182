"""What several commands of `ape run` take and give."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def account_option(command: Function) -> Function:
    """Who signs: one of ape's accounts."""
    return click.option("--account", metavar="ALIAS", help="One of `ape accounts list`, or TEST::0 on anvil.")(command)


def json_option(command: Function) -> Function:
    """Whether a program reads the answer."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def show(document: Any, lines: Sequence[str], as_json: bool) -> None:
    """Answer a program or a person."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False) if as_json else "\n".join(lines))
