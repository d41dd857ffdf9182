"""How the commands of `ape run` end."""

import errno
import os

import click
import pytest
from ape.exceptions import ApeException
from click.testing import CliRunner, Result

from analysis.devnode.anvil import NodeError
from fl.commands.command import Command
from fl.crowdfunding.settings import SettingsError
from fl.market.refusals import MarketError
from fl.store.errors import Missing, ViewError
from fl.training.errors import DataError
from scripts import bench_gas, bench_throughput, create_round, crowdfund_round, deploy, membership, status


def end_with(error: BaseException) -> Result:
    @click.command(cls=Command)
    def cli() -> None:
        raise error

    return CliRunner().invoke(cli)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        *((kind("too few"), "too few") for kind in (SettingsError, MarketError, ViewError, DataError)),
        (Missing("no artefact"), "no artefact"),
        (ViewError("the label \x1b[2J\u202e"), "the label \ufffd[2J\ufffd"),
        (NodeError("anvil\nis not there"), "anvil is not there"),
        (ApeException("No node found.\nThings you can do:\n\t1. this"), "No node found. Things you can do: 1. this"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), "/a: Permission denied"),
    ],
)
def test_command__fault__one_line_and_status_1(error: Exception, line: str) -> None:
    done = end_with(error)
    assert (done.exit_code, done.output) == (1, f"Error: {line}\n")


def test_command__fault_with_a_note__is_in_the_line() -> None:
    error = SettingsError("too few")
    error.add_note("the rest is here")
    assert end_with(error).output == "Error: too few; the rest is here\n"


def test_command__asks_where_nobody_answers__says_what_to_do() -> None:
    """As ape does before it signs with a key file."""
    done = end_with(click.Abort())
    assert done.exit_code == 1
    assert "export APE_ACCOUNTS_<alias>_PASSPHRASE" in done.output.splitlines()[-1]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(130)])
def test_command__interrupted__says_what_is_left(interrupt: BaseException) -> None:
    """Ape exits with 130 where a node of its own runs."""
    interrupt.add_note("the rest is here")
    done = end_with(interrupt)
    assert (done.exit_code, done.output) == (130, "Error: interrupted; the rest is here\n")


def test_command__fault_of_ours__is_not_hidden() -> None:
    assert isinstance(end_with(ZeroDivisionError()).exception, ZeroDivisionError)
    assert end_with(SystemExit(3)).exit_code == 3


def test_commands__all__end_so() -> None:
    assert {
        type(script.cli)
        for script in (bench_gas, bench_throughput, create_round, crowdfund_round, deploy, membership, status)
    } == {Command}
