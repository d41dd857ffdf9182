"""Several nodes behind one web3 provider, each a proxy before a real one."""

import time
from collections.abc import Iterator

import pytest
from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import RPCEndpoint

from analysis.devnode.anvil import anvil
from analysis.devnode.chain import Chain
from fl.market.nodes import _FORMS, LATEST, Nodes, Patience, connected
from fl.market.refusals import NoNode
from tests.support.proxy import Fault, LoseAnswer, LoseRequest, Proxy, Reply, Say, Stall, proxied

PATIENCE = Patience(connect=0.5, answer=0.3, rest=60, behind=5)
FAULTS = [
    LoseAnswer(),
    LoseRequest(),
    Stall(45),
    Reply(429),
    Reply(503),
    Reply(401),
    Reply(200, b"<html>"),
    Reply(200, b""),
    Reply(200, b'{"jsonrpc": "2.0", "id": 1, "resu'),
    Reply(200, b"null"),
    Reply(200, b"[" * 100_000),
    Say({"result": None}),
    Say({"error": "too busy"}),
    Say({"error": {"code": -32005, "message": "limit exceeded"}}),
]
ALWAYS = 10**6
MAY_BE_NOTHING = ("eth_getBlockByNumber", "eth_getTransactionByHash", "eth_getTransactionReceipt")


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with anvil(frozen=False) as chain:
        yield chain


@pytest.fixture
def first(chain: Chain) -> Iterator[Proxy]:
    with proxied(chain.uri) as proxy:
        yield proxy


@pytest.fixture
def second(chain: Chain) -> Iterator[Proxy]:
    with proxied(chain.uri) as proxy:
        yield proxy


def methods(proxy: Proxy) -> list[str]:
    return [method for method, _ in proxy.requests]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault)[:60])
def test_nodes__first_is_away__second_answers_and_is_kept(first: Proxy, second: Proxy, fault: Fault) -> None:
    web3 = Web3(Nodes([first.uri, second.uri], patience=PATIENCE))
    assert web3.eth.chain_id == 31337
    assert methods(second) == []
    first.fail(fault, "eth_blockNumber", times=ALWAYS)
    asked = time.monotonic()
    assert web3.eth.block_number == web3.eth.block_number
    assert time.monotonic() - asked < 10, "a node that stalls holds everything up"
    assert methods(second) == ["eth_chainId", "eth_blockNumber", "eth_blockNumber"]
    assert methods(first).count("eth_blockNumber") <= 2, "it rests"


@pytest.mark.parametrize("odd", [None, {}, "garbage", [1], {"number": None, "status": "0x"}], ids=str)
@pytest.mark.parametrize("method", _FORMS)
def test_nodes__result_is_of_another_form__is_no_answer(first: Proxy, method: str, odd: object) -> None:
    """Else it ends whoever has asked, in the middle of a round; where there may be nothing, null says so."""
    first.fail(Say({"result": odd}), method, times=ALWAYS)
    nodes = Nodes([first.uri], 31337, PATIENCE)
    if odd is None and method in MAY_BE_NOTHING:
        assert nodes.make_request(method, [1])["result"] is None
        return
    with pytest.raises(NoNode, match=f"gives no answer to {method}"):
        nodes.make_request(method, [1])


def test_nodes__first_comes_back__is_preferred_again(first: Proxy, second: Proxy) -> None:
    web3 = Web3(Nodes([first.uri, second.uri], patience=Patience(connect=0.5, answer=0.3, rest=0.1)))
    first.close()
    assert web3.eth.block_number >= 0
    first.open()
    time.sleep(0.15)
    second.requests.clear()
    assert web3.eth.block_number >= 0
    assert methods(first) == ["eth_chainId", "eth_blockNumber"]
    assert methods(second) == []


def test_nodes__connection_that_was_kept_is_closed__is_opened_anew(first: Proxy) -> None:
    web3 = Web3(Nodes([first.uri], patience=PATIENCE))
    assert web3.eth.block_number >= 0
    first.close()
    first.open()
    assert web3.eth.block_number >= 0


def test_nodes__of_another_chain__is_never_asked_more(first: Proxy, second: Proxy) -> None:
    first.fail(Say({"result": "0x5"}), "eth_chainId", times=ALWAYS)
    web3 = Web3(Nodes([first.uri, second.uri], 31337, PATIENCE))
    assert web3.eth.block_number >= 0
    assert methods(first) == ["eth_chainId"]
    with pytest.raises(NoNode, match=rf"{first.uri} is of chain 5, not 31337$"):
        Web3(Nodes([first.uri], 31337, PATIENCE)).eth.get_block("latest")


def test_nodes__first_is_behind__is_passed_over(first: Proxy, chain: Chain) -> None:
    """Its clock would be that of an old block, and deadlines seem further off than they are."""
    chain.rpc("anvil_mine", "0x10")
    with anvil(frozen=False) as late:
        web3 = Web3(Nodes([first.uri, late.uri], patience=Patience(rest=0, behind=5)))
        newest = web3.eth.get_block("latest")["number"]
        first.close()
        with pytest.raises(NoNode, match=rf"{late.uri} is {newest} blocks behind"):
            web3.eth.get_block("latest")
        late.rpc("anvil_mine", hex(newest - 5))
        assert web3.eth.get_block("latest")["number"] == newest - 5


def test_nodes__preferred_one_is_behind_another_that_is_not_needed__is_passed_over(first: Proxy, chain: Chain) -> None:
    """As long as it answers, nobody would ask the other; now and then all are asked."""
    chain.rpc("anvil_mine", "0x10")
    with anvil(frozen=False) as late:
        web3 = Web3(Nodes([late.uri, first.uri], patience=Patience(rest=0.1, behind=5)))
        newest = int(chain.rpc("eth_blockNumber"), 16)
        late.rpc("anvil_mine", hex(newest - 5))
        assert web3.eth.get_block("latest")["number"] == newest - 5
        chain.rpc("anvil_mine", "0x5")
        time.sleep(0.15)
        assert web3.eth.get_block("latest")["number"] == newest + 5
        late.rpc("anvil_mine", "0x10")
        time.sleep(0.25)
        assert web3.eth.get_block("latest")["number"] == newest + 11


def test_nodes__several_behind_one_address_and_one_lags__newest_never_goes_back_and_what_is_lacking_is_asked_again(
    first: Proxy, chain: Chain
) -> None:
    """Else what has happened would seem undone: it would be said so to people, and be done again."""
    web3 = Web3(Nodes([first.uri], patience=PATIENCE))
    newest = int(chain.rpc("anvil_mine", "0x10") or chain.rpc("eth_blockNumber"), 16)
    lagging = chain.rpc("eth_getBlockByNumber", hex(newest - 2), False)
    assert web3.eth.get_block("latest")["number"] == newest
    first.fail(Say({"result": lagging}), LATEST, times=2)
    assert web3.eth.get_block("latest")["number"] == newest
    first.fail(Say({"result": None}), LATEST, times=2)
    assert web3.eth.get_block(newest)["number"] == newest
    first.fail(Say({"error": {"code": -32000, "message": "header not found"}}), "eth_getBalance", times=2)
    assert web3.eth.get_balance("0x" + "11" * 20, newest) == 0
    first.fail(Say({"result": lagging}), LATEST, times=ALWAYS)
    with pytest.raises(NoNode, match=f"^no node can be used: {first.uri} is 2 blocks behind$"):
        web3.eth.get_block("latest")
    first.mend()
    mined = {"status": "0x1", "gasUsed": "0x1", "blockNumber": hex(newest + 1)}
    first.fail(Say({"result": mined}), "eth_getTransactionReceipt")
    Nodes.make_request(web3.provider, RPCEndpoint("eth_getTransactionReceipt"), ["0x"])  # type: ignore[arg-type]
    with pytest.raises(NoNode, match=r"is 1 blocks behind$"):
        web3.eth.get_block("latest")


def test_nodes__chain_goes_back__is_followed(first: Proxy, second: Proxy, chain: Chain) -> None:
    web3 = Web3(Nodes([first.uri, second.uri], patience=Patience(rest=0, behind=5)))
    with chain.snapshot():
        before = web3.eth.get_block("latest")["number"]
        chain.rpc("anvil_mine", "0x14")
        assert web3.eth.get_block("latest")["number"] == before + 20
    assert web3.eth.get_block("latest")["number"] == before


def test_nodes__none_answers__one_line_without_secrets(first: Proxy, second: Proxy) -> None:
    first.fail(Reply(503), times=ALWAYS)
    second.close()
    addresses = [first.uri + "/v3/secret", second.uri.replace("http://", "http://user:secret@")]
    with pytest.raises(NoNode) as refused:
        Web3(Nodes(addresses, patience=PATIENCE)).eth.get_block("latest")
    assert str(refused.value) == (f"no node can be used: {first.uri} answers HTTP 503; {second.uri} cannot be reached")


def test_nodes__error_of_the_request__is_passed_on(first: Proxy, second: Proxy) -> None:
    """Some nodes send such an error with a status of HTTP; another node would say the same."""
    web3 = Web3(Nodes([first.uri, second.uri], patience=PATIENCE))
    said = b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "invalid"}}'
    first.fail(Reply(400, said), "eth_getBalance")
    with pytest.raises(Web3RPCError, match="invalid"):
        web3.eth.get_balance("0x" + "11" * 20)
    assert methods(second) == []


def test_nodes__what_moves_the_chain__is_asked_once(first: Proxy, second: Proxy, chain: Chain) -> None:
    nodes = Nodes([first.uri, second.uri], patience=PATIENCE)
    before = int(chain.rpc("eth_blockNumber"), 16)
    first.fail(LoseAnswer(), "evm_mine", times=ALWAYS)
    with pytest.raises(NoNode):
        nodes.make_request("evm_mine", [])
    assert int(chain.rpc("eth_blockNumber"), 16) == before + 1


def test_connected__first_is_down__ape_goes_by_the_second(first: Proxy, second: Proxy) -> None:
    first.close()
    with connected([first.uri, second.uri], patience=PATIENCE) as provider:
        assert provider.chain_id == 31337
        first.open()
        second.close()
        assert provider.get_block("latest").number >= 0


def test_connected__none_answers__is_one_line() -> None:
    nobody = connected(["http://127.0.0.1:1"], patience=PATIENCE)
    with pytest.raises(NoNode, match=r"^no node can be used: http://127.0.0.1:1 cannot be reached$"), nobody:
        pass
