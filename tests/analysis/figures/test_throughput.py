"""The throughput figure: what its claims would notice, and that the stream it sends is whole rounds."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from analysis.benchmarks.contract.load import LoadError
from analysis.figures.figure import Setting
from analysis.figures.market import own_market
from analysis.figures.network import Network, serve
from analysis.figures.record import read
from analysis.figures.task_stream import prepare
from analysis.figures.throughput import claims, in_a_block, saturation

Doctor = Callable[[dict[str, Any]], None]


def failing(doctor: Doctor) -> list[str]:
    """Claims that do not hold of the committed data once they are doctored."""
    data = deepcopy(read("throughput", Setting.QUICK)["data"])
    doctor(data["networks"][0])
    doctor(data)
    return [claim.text for claim in claims(data) if not claim.holds]


def half_empty(network: dict[str, Any]) -> None:
    for served in network.get("rates", []):
        served["blocks"] = [[count, gas // 2, waiting] for count, gas, waiting in served["blocks"]]


def late(network: dict[str, Any]) -> None:
    for served in network.get("rates", []):
        served["blocks"] = [[count, gas, waiting + 1] for count, gas, waiting in served["blocks"]]


def slow(network: dict[str, Any]) -> None:
    for served in network.get("rates", []):
        served["mine_seconds"] += 10 * len(served["blocks"])


def growing(network: dict[str, Any]) -> None:
    for served in network.get("rates", [])[-1:]:
        served["blocks"] = [[count * 5 // 4, gas, waiting] for count, gas, waiting in served["blocks"]]


def other_by_the_clock(network: dict[str, Any]) -> None:
    if "on_clock" in network:
        network["on_clock"]["blocks"] = [[count // 2, gas, 0] for count, gas, _ in network["on_clock"]["blocks"]]


def never_full(network: dict[str, Any]) -> None:
    for served in network.get("rates", []):
        served["blocks"] = [[count, gas, 0] for count, gas, _ in served["blocks"]]


def slow_client(data: dict[str, Any]) -> None:
    if "client" in data:
        data["client"]["transactions_a_second"] = 5


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (half_empty, "gas is the limit"),
        (late, "in the next block"),
        (slow, "the node is not"),
        (growing, "takes no more"),
        (other_by_the_clock, "by the clock"),
        (never_full, "a rate that fills it"),
        (slow_client, "nor is the client"),
    ],
)
def test_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    assert any(noticed in text for text in failing(doctor))


def test_claims__private_chain_as_slow_as_the_papers__is_noticed() -> None:
    data = deepcopy(read("throughput", Setting.QUICK)["data"])
    data["networks"][0]["block_seconds"] = 100
    assert any("times the paper's" in claim.text and not claim.holds for claim in claims(data))


def test_saturation__by_hand() -> None:
    full = {"offered": 4.0, "blocks": [[20, 90, 20], [22, 90, 38]]}
    free = {"offered": 1.0, "blocks": [[10, 45, 0], [10, 45, 0]]}
    assert in_a_block(full) == 21
    assert saturation({"rates": [free, full], "block_seconds": 10}) == pytest.approx(2.1)


def test_stream__two_tasks__are_every_call_of_whole_rounds_and_fill_blocks() -> None:
    with own_market(limited=False) as market:
        stream = prepare(market, 2)
        # Of 20 members all join and commit, 19 reveal; 10 propose, 10 record, 9 vote; seven calls are made once.
        assert stream.each == 2 * 20 + 19 + 10 + 10 + 9 + 7
        assert len(stream.raw) == 2 * stream.each
        network = Network("half a task a block", 1, stream.gas // 2)
        served = serve(market.chain, network, stream, offered=float(stream.each), blocks=2)
    assert all(0.9 * network.block_gas < block.gas <= network.block_gas for block in served.blocks)
    assert served.blocks[-1].waiting == 2 * stream.each - sum(block.transactions for block in served.blocks)


def test_serve__transactions_that_were_mined_already__are_refused() -> None:
    with own_market(limited=False) as market:
        stream = prepare(market, 1)
        market.chain.raw_batch([("eth_sendRawTransaction", (raw,)) for raw in stream.raw[:5]])
        with pytest.raises(LoadError):
            serve(market.chain, Network("any", 1, 30_000_000), stream, offered=50.0, blocks=1)
