"""Several nodes of one chain behind one web3 provider: where one cannot be used, the next is asked."""

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from ape import networks
from ape.api import ProviderAPI
from ape.exceptions import ApeException
from ape.logging import LogLevel, logger
from ape_ethereum.provider import EthereumNodeProvider
from eth_typing import URI
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from fl.faults import line_of
from fl.market.refusals import NoNode
from fl.shallow_json import shallow_json

log = logging.getLogger("hcfl")

BUSY = (-32005, 429)
"""JSON-RPC errors of a node, or of a service before it, that has had too many requests."""

LATEST = "eth_getBlockByNumber"
"""The request that shows how far a node is."""

RECEIPT = "eth_getTransactionReceipt"

TRIES = 4
"""Times that nodes are asked for what they lack: of several behind one address, the next may have it."""

_LACKS = re.compile("header not found|unknown block|block not found|out ?of ?range", re.IGNORECASE)
"""How nodes say that they do not have a block."""


def _is_number(found: object) -> bool:
    return isinstance(found, str) and re.fullmatch("0x[0-9a-fA-F]+", found) is not None


def _is_data(found: object) -> bool:
    return isinstance(found, str) and re.fullmatch("0x([0-9a-fA-F]{2})*", found) is not None


def _has(*numbers: str) -> Callable[[object], bool]:
    """Whether it is an object with these numbers, or null."""
    return lambda found: found is None or (isinstance(found, dict) and all(_is_number(found.get(n)) for n in numbers))


_FORMS: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(("eth_blockNumber", "eth_chainId", "eth_estimateGas", "eth_gasPrice"), _is_number),
    **dict.fromkeys(("eth_getBalance", "eth_getTransactionCount", "eth_maxPriorityFeePerGas"), _is_number),
    **dict.fromkeys(("eth_call", "eth_getCode", "eth_sendRawTransaction"), _is_data),
    LATEST: _has("number", "timestamp", "gasLimit"),
    "eth_getTransactionByHash": _has("nonce"),
    RECEIPT: _has("status", "blockNumber", "gasUsed"),
    "eth_getLogs": lambda found: isinstance(found, list) and all(isinstance(each, dict) for each in found),
}
"""Of what each method returns: a node, or what stands before it, may send null where it has nothing."""


class _Away(Exception):
    """A node cannot be used now, and why."""


class _Behind(_Away):
    """It is older than what another, maybe behind the same address, has shown."""


class _Http(HTTPProvider):
    """Reads no answer that would end the process (`shallow_json`)."""

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        return cast(RPCResponse, shallow_json(raw_response))


@dataclass(frozen=True)
class Patience:
    """How long nodes are waited for.

    Attributes:
        connect: seconds that a node may take to be reached.
        answer: seconds that it may take to answer.
        rest: seconds that a node is left alone after it could not be used; doubled each time, up to 16 times. So often,
            too, are all of them asked how far they are; and so long must a chain be shorter than it was, as a
            development node that was set back, until that is believed.
        behind: blocks that a node may be behind the newest that another has shown.
    """

    connect: float = 5
    answer: float = 15
    rest: float = 30
    behind: int = 16


@dataclass
class _Node:
    """A node, and what became of it so far."""

    http: HTTPProvider
    checked: bool = False
    newest: int = 0
    resting_until: float = 0
    failures: int = 0

    @property
    def name(self) -> str:
        """Its address without path, user and password: they are what people pay for."""
        parts = urlsplit(str(self.http.endpoint_uri))
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


class Nodes(JSONBaseProvider):
    """A web3 provider that asks the first node that can be used, in an order of preference.

    A node that cannot be reached, takes too long, has no time, is behind, or of another chain, rests for a while; then
    it is preferred again. Asking twice, because an answer was lost, does no harm: a node is asked for what it has, or
    given a signed transaction.

    Raises:
        NoNode: (every method) none can be used.
    """

    def __init__(self, addresses: Sequence[str], chain_id: int | None = None, patience: Patience | None = None):
        """Name the nodes; none is asked yet.

        Args:
            addresses: http or https, the preferred first.
            chain_id: that they must be of; None: that of the first that answers.
            patience: how long they are waited for.
        """
        super().__init__()
        self._patience = patience or Patience()
        limits = {"timeout": (self._patience.connect, self._patience.answer)}
        self._nodes = [_Node(_Http(URI(address), limits, exception_retry_configuration=None)) for address in addresses]
        self._chain_id = chain_id
        self._current: _Node | None = None
        self._compared_at = -math.inf
        self._shown, self._shown_at = 0, -math.inf
        self.endpoint_uri = URI(addresses[0])  # by which ape knows the connection

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask a node, and where that cannot be used, the next."""
        if method == LATEST and len(self._nodes) > 1 and time.monotonic() - self._compared_at > self._patience.rest:
            self._compare()
        why: list[str] = []
        refused: RPCResponse | None = None
        left = sorted(self._nodes, key=_is_resting) * TRIES
        while left:
            node = left.pop(0)
            try:
                answer = self._ask(node, method, params)
                self._go_on(answer, method, params)
            except _Away as error:
                why.append(f"{node.name} {error}")
                again = isinstance(error, _Behind)
                if not _repeatable(method):
                    left = []
            else:
                again = self._lacks(answer, method, params)
                if not again and not _busy(answer):
                    self._use(node, why)
                    return answer
                refused = answer
            self._rest(node)
            if not again:
                left = [each for each in left if each is not node]
        if refused is not None:
            return refused
        raise NoNode(f"no node can be used: {'; '.join(dict.fromkeys(why))}")

    def is_connected(self, show_traceback: bool = False) -> bool:
        """Whether a node can be used."""
        try:
            self.make_request(RPCEndpoint("web3_clientVersion"), [])
        except NoNode:
            if show_traceback:
                raise
            return False
        return True

    def _ask(self, node: _Node, method: RPCEndpoint, params: Any) -> RPCResponse:
        if not node.checked:
            self._check(node)
        answer = _answer_of(node, method, params)
        if (number := _newest_in(answer, method, params)) is not None:
            node.newest = number
            behind = max(each.newest for each in self._nodes) - node.newest  # a chain that goes back does so on each
            if behind > self._patience.behind:
                raise _Away(f"is {behind} blocks behind")
        return answer

    def _go_on(self, answer: RPCResponse, method: str, params: Any) -> None:
        """See that the newest block is not older than what was shown: of the nodes behind one address, one may lag.

        What has happened would seem undone, and be done again. A reorganised chain is as long as before, or longer.
        """
        receipt: Any = answer.get("result")
        if method == RECEIPT and receipt:
            self._shown = max(self._shown, int(receipt["blockNumber"], 16))
        if (number := _newest_in(answer, method, params)) is None:
            return
        if number < self._shown and time.monotonic() - self._shown_at <= self._patience.rest:
            raise _Behind(f"is {self._shown - number} blocks behind")
        self._shown, self._shown_at = number, time.monotonic()

    def _lacks(self, answer: RPCResponse, method: str, params: Any) -> bool:
        """Whether a node does not have a block, which another may have shown."""
        if method == LATEST and "result" in answer:
            asked = str(params[0])
            return answer["result"] is None and asked.startswith("0x") and int(asked, 16) <= self._shown
        return isinstance(error := answer.get("error"), dict) and bool(_LACKS.search(str(error.get("message"))))

    def _compare(self) -> None:
        """See how far each node is: nothing else shows that the one that is preferred is behind the others."""
        self._compared_at = time.monotonic()
        for node in self._nodes:
            if not _is_resting(node):
                try:
                    self._ask(node, RPCEndpoint(LATEST), ["latest", False])
                except _Away:
                    self._rest(node)

    def _check(self, node: _Node) -> None:
        """See that a node is of the chain."""
        answer = _answer_of(node, RPCEndpoint("eth_chainId"), [])
        try:
            found = int(str(answer.get("result")), 16)
        except ValueError:
            raise _Away("does not say which chain it is of") from None
        if self._chain_id is None:
            self._chain_id = found
        if found != self._chain_id:
            raise _Away(f"is of chain {found}, not {self._chain_id}")
        node.checked = True

    def _rest(self, node: _Node) -> None:
        node.resting_until = time.monotonic() + self._patience.rest * 2 ** min(node.failures, 4)
        node.failures += 1
        node.checked = False

    def _use(self, node: _Node, why: Sequence[str]) -> None:
        node.failures = 0
        if node is not self._current:
            if self._current is not None:
                log.warning("node %s is used now%s", node.name, f": {'; '.join(why)}" if why else "")
            self._current = node


@contextmanager
def connected(
    addresses: Sequence[str], chain_id: int | None = None, patience: Patience | None = None
) -> Iterator[ProviderAPI]:
    """Have ape ask several nodes.

    Raises:
        NoNode: none can be used.
    """
    logger.set_level(LogLevel.ERROR)
    nodes = Nodes(addresses, chain_id, patience)
    nodes.is_connected(show_traceback=True)
    provider = networks.create_custom_provider(addresses[0], provider_cls=_provider_over(nodes), provider_name="node")
    with ExitStack() as stack:
        try:
            active = stack.enter_context(provider.network.use_provider(provider, disconnect_after=True))
        except (ApeException, Web3Exception) as error:
            raise NoNode(f"no node can be used: {line_of(error)}") from error
        yield active


def _provider_over(nodes: Nodes) -> type[EthereumNodeProvider]:
    class Provider(EthereumNodeProvider):
        """Ape's provider for any node, which asks several."""

        def _set_web3(self) -> None:
            self._client_version = None
            self._web3 = Web3(nodes)

    return Provider


def _newest_in(answer: RPCResponse, method: str, params: Any) -> int | None:
    """The number of the newest block, where it was asked for."""
    block: Any = answer.get("result")
    return int(block["number"], 16) if method == LATEST and params[0] == "latest" and block else None


def _is_resting(node: _Node) -> bool:
    return node.resting_until > time.monotonic()


def _answer_of(node: _Node, method: RPCEndpoint, params: Any) -> RPCResponse:
    """What a node answers, an error of its JSON-RPC included.

    Raises:
        _Away: nothing that can be used.
    """
    for last in (not _repeatable(method), True):  # a connection that was kept open may have been closed
        try:
            answer = node.http.make_request(method, params)
            if not _is_answer(method, answer):
                raise _Away(f"gives no answer to {method}")
            return answer
        except requests.Timeout as error:
            raise _Away("takes too long") from error
        except requests.HTTPError as error:
            return _error_in(error.response)
        except requests.JSONDecodeError as error:
            raise _Away("does not speak JSON-RPC") from error
        except requests.RequestException as error:
            if last:
                raise _Away("cannot be reached") from error
        except (ValueError, Web3Exception) as error:
            raise _Away("does not speak JSON-RPC") from error
    raise AssertionError("the last attempt returns or raises")


def _error_in(response: requests.Response) -> RPCResponse:
    """The JSON-RPC error that some nodes send with a status of HTTP.

    Raises:
        _Away: there is none, or it is about the node.
    """
    said = f"answers HTTP {response.status_code}"
    if response.status_code == 429 or response.status_code >= 500:
        raise _Away(said)
    try:
        body = response.json()
    except ValueError:
        raise _Away(said) from None
    if not isinstance(body, dict) or "error" not in body:
        raise _Away(said)
    return cast(RPCResponse, body)


def _is_answer(method: str, found: object) -> bool:
    """Whether it is an error, or a result of the form that the method has."""
    if not isinstance(found, dict) or "error" in found:
        return isinstance(found, dict) and isinstance(found["error"], dict)
    form = _FORMS.get(method)
    return "result" in found and (form is None or form(found["result"]))


def _busy(answer: RPCResponse) -> bool:
    error = answer.get("error")
    return isinstance(error, dict) and error.get("code") in BUSY


def _repeatable(method: str) -> bool:
    """Whether a request may be made twice; what moves a development node may not."""
    return method.split("_")[0] in ("eth", "net", "web3", "debug", "txpool") and method != "eth_sendTransaction"
