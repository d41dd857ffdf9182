"""A deployment is found, held against the sources, and made once whatever ends the command."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ape import Project
from eth_utils import keccak

from analysis.devnode.chain import Chain
from fl.market import deployment as module
from fl.market.deployment import Deploying, Deployment, attach, check_address, compiled, deploy, located, standard_input
from fl.market.refusals import MarketError

ELSEWHERE = "0x" + "cd" * 20


def test_compiled__another_process_has_compiled_meanwhile__what_the_sources_say(tmp_path: Path) -> None:
    """Ape reads what it keeps when a project is opened, and looks no more at what a contract imports."""
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    for name in ("ape-config.yaml", "foundry.toml", "package-lock.json"):
        (tmp_path / name).write_text("", encoding="utf-8")
    contract = 'import {Lib} from "./Lib.sol"; contract HCFL { function one() external pure returns (uint256) { return '
    (contracts / "HCFL.sol").write_text(f"pragma solidity 0.8.37; {contract} Lib.ONE; }} }}", encoding="utf-8")

    def code(project: Any, number: int) -> str:
        lib = f"pragma solidity 0.8.37; library Lib {{ uint256 internal constant ONE = {number}; }}"
        (contracts / "Lib.sol").write_text(lib, encoding="utf-8")
        return str(compiled(project).contract_type.deployment_bytecode.bytecode)

    before = code(Project(tmp_path), 4711)
    opened_before = Project(tmp_path)
    after = code(Project(tmp_path), 4712)
    assert after != before
    assert code(opened_before, 4712) == after


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


# ── records ──


@pytest.fixture
def said() -> list[str]:
    """What a deployment has told."""
    return []


@pytest.fixture
def deploying(project: Any, chain: Any, tmp_path: Path, said: list[str]) -> Deploying:
    return Deploying(project, chain.provider, tmp_path / "deployments", said.append)


@pytest.fixture(scope="module")
def checking(project: Any, chain: Any, accounts: Any, tmp_path_factory: pytest.TempPathFactory) -> Deploying:
    """One that has deployed, whose record is not changed."""
    once = Deploying(project, chain.provider, tmp_path_factory.mktemp("recorded"), print)
    once.deploy(accounts[0])
    return once


@pytest.fixture(scope="module")
def recorded(checking: Deploying) -> Path:
    """That record."""
    return checking.path


def files(deploying: Deploying) -> set[str]:
    return {path.name for path in deploying.path.parent.iterdir()}


def test_deploy__record__says_what_is_on_the_chain(
    checking: Deploying, recorded: Path, node: Chain, accounts: Any
) -> None:
    record = Deployment.read(recorded)
    transaction = node.rpc("eth_getTransactionByHash", record.transaction)
    receipt = node.rpc("eth_getTransactionReceipt", record.transaction)
    assert record.address.lower() == receipt["contractAddress"]
    assert record.block == int(receipt["blockNumber"], 16) > 0
    assert (record.deployer, record.chain_id) == (accounts[0].address, node.chain_id)
    assert "0x" + keccak(bytes.fromhex(transaction["input"][2:])).hex() == record.creation_code_hash
    assert "0x" + keccak(node.code_of(record.address)).hex() == record.runtime_code_hash
    assert record.constructor_input == "0x"
    assert recorded.name == f"{record.chain_id}.json"
    assert located(str(recorded)) == (record.address, record)
    assert checking.check(str(recorded)) == []
    assert checking.check(record.address) == []


def test_deploy__standard_input__has_every_source_and_setting(recorded: Path, project: Any) -> None:
    record = Deployment.read(recorded)
    given = json.loads((recorded.parent / record.standard_input).read_bytes())
    assert given["settings"]["optimizer"] == {"enabled": True, "runs": 1_000}
    assert (given["settings"]["viaIR"], given["settings"]["evmVersion"]) == (True, "osaka")
    for path in project.sources.paths:
        name = str(path.relative_to(project.path))
        if name in given["sources"]:
            assert given["sources"][name]["content"] == path.read_text(encoding="utf-8")
    assert "contracts/HCFL.sol" in given["sources"]
    assert record.compiler.startswith("0.8.37+commit.")


@pytest.mark.heavy
def test_deploy__standard_input__compiles_to_what_was_deployed(recorded: Path) -> None:
    """With solc alone, as an explorer would; a minute where solc is JavaScript."""
    import solcx

    record = Deployment.read(recorded)
    given = json.loads((recorded.parent / record.standard_input).read_bytes())
    made = solcx.compile_standard(given, solc_version=record.compiler)["contracts"]["contracts/HCFL.sol"]["HCFL"]
    for part, digest in (("bytecode", record.creation_code_hash), ("deployedBytecode", record.runtime_code_hash)):
        assert "0x" + keccak(bytes.fromhex(made["evm"][part]["object"])).hex() == digest
        assert made["evm"][part].get("linkReferences", {}) == {}


ZERO = "0x" + "00" * 32


@pytest.mark.parametrize(
    ("field", "value", "off"),
    [
        ("chain_id", 1, "is about chain 1, and the node is on chain"),
        ("address", "0x5FbDB2315678afecb367f032d93F642f64180aa4", "no checksummed address"),
        ("block", 7_000, "block of .* is 7000, and the chain says"),
        ("deployer", "0x" + "11" * 20, "deployer of .* and the chain says 0x"),
        ("transaction", ZERO, f"the chain has no transaction {ZERO}"),
        ("creation_code_hash", ZERO, "does not carry the code and constructor input"),
        ("constructor_input", "0x00", "does not carry the code and constructor input"),
        ("runtime_code_hash", ZERO, "runtime_code_hash of .* is not that of the code at"),
        ("abi", [], "abi of .* is not that of the sources here"),
        ("compiler", "0.8.36", r"or the compiler \(0.8.36\) is not what"),
        ("standard_input", "nowhere.json", "nowhere.json: No such file"),
        ("standard_input_sha256", "00", "is not the file that .* names: its SHA-256 differs"),
        ("format", 2, "no record of a deployment of format 1"),
        ("abi", None, "abi is None"),
    ],
)
def test_check__one_field_altered__is_named(
    checking: Deploying, recorded: Path, tmp_path: Path, field: str, value: object, off: str
) -> None:
    document = json.loads(recorded.read_bytes())
    assert document[field] != value
    name = document["standard_input"]
    (tmp_path / name).write_bytes((recorded.parent / name).read_bytes())
    path = tmp_path / recorded.name
    path.write_text(json.dumps({**document, field: value}), encoding="utf-8")
    if field in ("format", "address") or value is None:
        with pytest.raises(MarketError, match=off):
            checking.check(str(path))
    else:
        (line,) = checking.check(str(path))
        assert re.search(off, line)


def test_check__other_code_at_the_address__is_seen(checking: Deploying, recorded: Path, node: Chain) -> None:
    record = Deployment.read(recorded)
    with node.snapshot():
        node.set_code(record.address, b"\0" + node.code_of(record.address)[1:])
        for named in (record.address, str(recorded)):
            assert any("is not HCFL as the sources here stand" in line for line in checking.check(named))
        node.set_code(record.address, b"")
        assert any("there is no contract at" in line for line in checking.check(record.address))


def test_check__neither_address_nor_record__one_line(checking: Deploying, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="neither an address"):
        checking.check("nowhere.json")
    for content in (b"", b"[]", b"{}", b"[" * 100_000):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(MarketError, match="no record of a deployment"):
            checking.check(str(tmp_path / "x.json"))


def test_deploy__there_is_a_record__refused_and_nothing_sent(deploying: Deploying, accounts: Any, node: Chain) -> None:
    first = deploying.deploy(accounts[0])
    kept, sent = deploying.path.read_bytes(), accounts[0].nonce
    with pytest.raises(MarketError, match=f"names a deployment on this chain already, at {first.address}: hold it"):
        deploying.deploy(accounts[0])
    assert (deploying.path.read_bytes(), accounts[0].nonce) == (kept, sent)
    with node.snapshot():
        node.set_code(first.address, b"")
        with pytest.raises(MarketError, match=", which this chain does not have: deploy anew with --replace"):
            deploying.deploy(accounts[0])


def test_deploy__replace__keeps_the_record_that_was_there(deploying: Deploying, accounts: Any, said: list[str]) -> None:
    first = deploying.deploy(accounts[0])
    kept = deploying.path.read_bytes()
    second = deploying.deploy(accounts[0], replace_record=True)
    assert second.address != first.address
    beside = deploying.path.with_name(f"{first.chain_id}.{first.address}.json")
    assert json.loads(beside.read_bytes()) == json.loads(kept)
    assert said == [f"The record of {first.address} is kept as {beside}"]
    assert deploying.check(str(beside)) == []


class Killed(BaseException):
    """The process ends."""


@contextmanager
def killed(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool, when: Callable[..., bool]
) -> Iterator[None]:
    """End the process inside, before or after the first call of a function that fits."""
    real = getattr(owner, name)

    def end(*args: Any, **kwargs: Any) -> Any:
        if not when(*args):
            return real(*args, **kwargs)
        if after:
            real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, end)
        with pytest.raises(Killed):
            yield


def always(*_: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("place", "after", "sends"),
    [
        ("signed", False, 0),
        ("signed", True, 0),
        ("send", False, 0),
        ("send", True, 1),
        ("record", False, 1),
        ("record", True, 1),
    ],
)
def test_deploy__killed__the_same_command_ends_it_and_deploys_once(
    deploying: Deploying,
    accounts: Any,
    chain: Any,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    after: bool,
    sends: int,
) -> None:
    """Between any two of: signed and on the disk, sent, mined, recorded."""
    before = accounts[0].nonce
    eth = chain.provider.web3.eth
    places: dict[str, tuple[Any, str, Callable[..., bool]]] = {
        "signed": (module, "_write", lambda path, _: path.name.endswith(".sent.json")),
        "send": (eth, "send_raw_transaction", always),
        "record": (module, "_write", lambda path, _: path == deploying.path),
    }
    owner, name, when = places[place]
    with killed(monkeypatch, owner, name, after=after, when=when):
        deploying.deploy(accounts[0])
    sent = eth.get_transaction_count(accounts[0].address, "pending")  # the node may not have mined it yet
    assert sent == before + sends, "the kill is where it was meant to be"
    record = deploying.deploy(accounts[0])
    assert accounts[0].nonce == before + 1, "one transaction"
    assert deploying.check(str(deploying.path)) == []
    assert Deployment.read(deploying.path) == record
    assert not any(name.endswith(".sent.json") or name.startswith(".") for name in files(deploying))


def test_deploy__nonce_used_otherwise__begins_anew(
    deploying: Deploying, accounts: Any, chain: Any, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    with killed(monkeypatch, chain.provider.web3.eth, "send_raw_transaction", after=False, when=always):
        deploying.deploy(accounts[0])
    accounts[0].transfer(accounts[1], 1)
    record = deploying.deploy(accounts[0])
    assert deploying.check(str(deploying.path)) == []
    assert "its nonce is used otherwise" in said[0]
    assert record.block > 0


def test_deploy__sent_before_the_chain_began_anew__waits_for_a_person(
    deploying: Deploying, accounts: Any, chain: Any, node: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its nonce is ahead: the node may be behind, so nothing else is signed."""
    with node.snapshot():
        accounts[2].transfer(accounts[1], 1)
        with killed(monkeypatch, chain.provider.web3.eth, "send_raw_transaction", after=False, when=always):
            deploying.deploy(accounts[2])
    with pytest.raises(MarketError, match="wait until the node has caught up, or move the file away"):
        deploying.deploy(accounts[2])


def test_standard_input__again__is_the_same(project: Any) -> None:
    assert standard_input(project) == standard_input(project)
