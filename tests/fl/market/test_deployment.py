"""Finding a deployment that is there already."""

from typing import Any

import pytest

from analysis.devnode.chain import Chain
from fl.market.deployment import attach, check_address, deploy
from fl.market.refusals import MarketError

ELSEWHERE = "0x" + "cd" * 20


def test_attach__deployed_before__is_the_same(project: Any, chain: Any, accounts: Any) -> None:
    deployed = deploy(project, accounts[0])
    market = attach(project, chain.provider, deployed.address.lower())
    assert market.address == deployed.address
    assert market.unaccounted() == 0


def test_attach__nothing_there__says_so(project: Any, chain: Any) -> None:
    with pytest.raises(MarketError, match=r"there is no contract at 0x[cCdD]{40}: name the node"):
        attach(project, chain.provider, ELSEWHERE)


def test_attach__another_contract__says_so(project: Any, chain: Any, node: Chain) -> None:
    with node.snapshot():
        node.rpc("anvil_setCode", ELSEWHERE, "0x6000")
        with pytest.raises(MarketError, match="is not HCFL as the sources here stand"):
            attach(project, chain.provider, ELSEWHERE)


@pytest.mark.parametrize("address", ["", "0x12", "HCFL", "0x" + "g" * 40])
def test_check_address__none__refused(address: str) -> None:
    with pytest.raises(MarketError, match="is no address"):
        check_address(address)
