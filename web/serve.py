"""`ape run explorer`: the server on its address, with a reader on its node."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import click
import uvicorn

from fl.faults import Fault
from fl.members.access import Access
from fl.store.signed import Domain
from web.app import app_of
from web.reader import Reader


class ServerError(Fault):
    """The address cannot be listened on."""


def serve(access: Access, host: str, port: int) -> None:
    """Serve until it is interrupted.

    Args:
        access: the deployment, and its node.
        host: address that is listened on.
        port: 0: any free one.

    Raises:
        Fault: the node, the contract or the address cannot be used.
    """
    access.check()
    with _listening(host, port) as listening, access.market() as market:
        reader = Reader(market)
        listed = access.members(Domain(market.chain_id, market.address))
        name, found = listening.getsockname()[:2]
        click.echo(f"Rounds of {market.address}: http://{f'[{name}]' if ':' in name else name}:{found}  (Ctrl-C ends)")
        if advice := advice_for(name):
            click.echo(advice, err=True)
        config = uvicorn.Config(
            app_of(reader.poll, called=None if listed is None else listed.names, listed=listed),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listening])


def advice_for(address: str) -> str:
    """What to mind where other machines reach this address; empty where none does."""
    if ip_address(address.partition("%")[0]).is_loopback:
        return ""
    return (
        f"Other machines can reach {address}: there is no encryption and no limit on viewers here. Put a web server of "
        "your own before it that has both, and let it pass on what the pages stream (no buffering of /events)."
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise ServerError(f"--host {host} --port {port} cannot be listened on: {reason}") from error
