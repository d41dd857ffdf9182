"""The contract as its sources stand, and its deployments: `deployments/<chain id>.json` for each chain.

A deployment is found again whatever happens between signing and recording it: the signed transaction is on the disk,
in `<chain id>.sent.json`, before it leaves.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ape import compilers
from ape.api import AccountAPI, ProviderAPI
from ape.contracts import ContractContainer
from eth_utils import is_address, is_checksum_address, keccak, to_checksum_address
from filelock import FileLock
from web3.exceptions import TimeExhausted, TransactionNotFound, Web3RPCError

from fl.atomic import write_atomically
from fl.market.client import Market, asking, code_hash_of
from fl.market.refusals import MarketError
from fl.shallow_json import shallow_json

FOLDER = Path("deployments")
FORMAT = 1
MOST_BYTES = 1_000_000
WAIT_SECONDS = 600

_OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "metadata"]


def compiled(project: Any) -> ContractContainer:
    """`HCFL`, compiled anew if any source or setting has changed since it last was.

    Ape keeps a contract's old code where only a file that it imports has changed.

    Args:
        project: ape's local project.
    """
    settings = [project.path / name for name in ("ape-config.yaml", "foundry.toml", "package-lock.json")]
    # Without what `ape-config.yaml` leaves out, and the copies of imports that ape keeps among the sources.
    ours = sorted(project.sources.paths)
    state = hashlib.sha256(b"".join(source.read_bytes() for source in [*ours, *settings])).hexdigest()
    stamp = project.path / ".build" / "sources.sha256"
    stamp.parent.mkdir(exist_ok=True)
    # Of processes that start at once, as the tests' do, one compiles and the others wait for it.
    with FileLock(stamp.with_suffix(".lock")):
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
            project.load_contracts(use_cache=False)
            stamp.write_text(state, encoding="utf-8")
        else:
            project.load_manifest()  # what this process has read may be older than what another has compiled since
        return project.HCFL


def abi_of(contract: ContractContainer) -> list[dict[str, Any]]:
    """A contract's interface, as JSON holds it."""
    return [entry.model_dump(by_alias=True, mode="json") for entry in contract.contract_type.abi]


def deploy(project: Any, account: AccountAPI) -> Market:
    """Deploy HCFL without a record, on a chain that ends with the program.

    Raises:
        MarketError: the account cannot, with the reason.
    """
    contract = compiled(project)
    with asking("deploy"):
        return Market(account.deploy(contract))


def check_address(address: str) -> None:
    """Refuse what is not an address.

    Raises:
        MarketError: it is none.
    """
    if not is_address(address):
        raise MarketError(f"{address} is no address: 0x and 40 hexadecimal digits")


def runtime_code_of(contract: ContractContainer) -> bytes:
    """The code that a contract has at its address: HCFL has no immutables, and links no libraries."""
    return bytes(contract.contract_type.get_runtime_bytecode())


def attach(project: Any, provider: ProviderAPI, address: str) -> Market:
    """HCFL as it was deployed before.

    Raises:
        MarketError: it is not there, with the reason.
    """
    check_address(address)
    contract, checksummed = compiled(project), to_checksum_address(address)
    if refusal := _other_code(contract, provider, checksummed):
        raise MarketError(refusal)
    with asking("read the contract"):
        return Market(contract.at(checksummed, fetch_from_explorer=False))


def _other_code(contract: ContractContainer, provider: ProviderAPI, address: str) -> str:
    """In what the code at an address differs from the sources'; empty where it does not."""
    with asking("read the contract"):
        code = bytes(provider.get_code(to_checksum_address(address)))
    if not code:
        return f"there is no contract at {address}: name the node that has it with --network"
    if code_hash_of(code) != code_hash_of(runtime_code_of(contract)):
        return f"the contract at {address} is not HCFL as the sources here stand: deploy it anew"
    return ""


@dataclass(frozen=True)
class Deployment:
    """Where HCFL is on a chain, and what it was made from.

    Attributes:
        chain_id: of the chain.
        address: checksummed.
        deployer: the account that sent the transaction.
        transaction: its hash.
        block: number of the block that it is in; 0: it is not yet known to be in one.
        constructor_input: what follows the code in the transaction, hex; HCFL's constructor takes nothing.
        creation_code_hash: keccak256 of the code that the transaction carries.
        runtime_code_hash: keccak256 of the code at the address.
        compiler: solc's version.
        settings: of the compiler.
        standard_input: name of the file beside this one that a block explorer, Sourcify or solc takes.
        standard_input_sha256: of that file.
        abi: the interface.
    """

    chain_id: int
    address: str
    deployer: str
    transaction: str
    block: int
    constructor_input: str
    creation_code_hash: str
    runtime_code_hash: str
    compiler: str
    settings: dict[str, Any]
    standard_input: str
    standard_input_sha256: str
    abi: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """As the file has it."""
        return {
            "format": FORMAT,
            "contract": "contracts/HCFL.sol:HCFL",
            **asdict(self),
            "libraries": {},
            "immutables": {},
            "verify": [
                f"ape run deploy --network NODE --check {FOLDER}/{self.chain_id}.json",
                f"solc --standard-json {self.standard_input} # solc {self.compiler}: evm.deployedBytecode.object is "
                "the code at the address, evm.bytecode.object and constructor_input the transaction's input",
                f"an explorer or Sourcify: upload {self.standard_input}, contract contracts/HCFL.sol:HCFL",
            ],
        }

    @classmethod
    def read(cls, path: Path) -> "Deployment":
        """Read a record.

        Raises:
            MarketError: it is none.
        """
        document = _json_of(path)
        if document.get("format") != FORMAT:
            raise MarketError(f"{path} is no record of a deployment of format {FORMAT}")
        kinds: dict[str, type] = {"settings": dict, "abi": list, "chain_id": int, "block": int}
        for field in fields(cls):
            if not isinstance(document.get(field.name), kinds.get(field.name, str)):
                raise MarketError(f"{path} is no record of a deployment: {field.name} is {document.get(field.name)!r}")
        record = cls(**{field.name: document[field.name] for field in fields(cls)})
        if not is_checksum_address(record.address):
            raise MarketError(f"{path}: address is {record.address}, which is no checksummed address")
        return record


def located(contract: str) -> tuple[str, Deployment | None]:
    """The address that a member names, by itself or by a deployment's record.

    Args:
        contract: an address, or the path of a record.

    Raises:
        MarketError: it is neither.
    """
    if is_address(contract):
        return to_checksum_address(contract), None
    if not Path(contract).exists():
        raise MarketError(f"{contract} is neither an address (0x and 40 hexadecimal digits) nor a file that is there")
    record = Deployment.read(Path(contract))
    return record.address, record


class Deploying:
    """Deployments of HCFL on one chain, recorded in a folder.

    Args:
        project: ape's local project.
        provider: connected.
        folder: of the records.
        say: is told what happens.
    """

    def __init__(self, project: Any, provider: ProviderAPI, folder: Path, say: Callable[[str], None]):
        self._project = project
        self._provider = provider
        self._say = say
        self.chain_id = int(provider.chain_id)
        self.path = folder / f"{self.chain_id}.json"
        self._sent = folder / f"{self.chain_id}.sent.json"

    @cached_property
    def _sources(self) -> ContractContainer:
        return compiled(self._project)

    @cached_property
    def _input(self) -> tuple[str, dict[str, Any]]:
        return standard_input(self._project)

    def deploy(self, account: AccountAPI, replace_record: bool = False) -> Deployment:
        """Deploy, or end what was begun: a transaction that was signed and never recorded is looked for, or sent again.

        Args:
            account: signs and pays.
            replace_record: deploy although there is a record; that one is kept beside, under its address.

        Raises:
            MarketError: there is a record already, or the node refused.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            if self._sent.exists() and (begun := self._finished()) is not None:
                return begun
            if self.path.exists():
                self._keep(replace_record)
            self._sign(account)
            ended = self._finished()
        if ended is None:
            raise MarketError("deploy: another transaction of this account took the nonce: run this again")
        return ended

    def _keep(self, replace_record: bool) -> None:
        old = Deployment.read(self.path)
        if not replace_record:
            with asking("read the contract"):
                there = bool(self._provider.get_code(to_checksum_address(old.address)))
            known = ": hold it against the sources with --check, or" if there else ", which this chain does not have:"
            raise MarketError(
                f"{self.path} names a deployment on this chain already, at {old.address}{known} deploy anew with "
                "--replace"
            )
        kept = self.path.with_name(f"{self.chain_id}.{old.address}.json")
        _write(kept, old.to_json())
        self._say(f"The record of {old.address} is kept as {kept}")

    def _sign(self, account: AccountAPI) -> None:
        """Sign, and write down what was signed; nothing is sent."""
        contract, (version, standard) = self._sources, self._input
        name = f"{self.chain_id}.input.json"
        text = _write(self.path.with_name(name), standard)
        with asking("deploy"):
            transaction = contract()
            transaction.sender = account.address
            signed = account.sign_transaction(account.prepare_transaction(transaction))
            if signed is None:
                raise MarketError(f"deploy: {account.address} declined to sign")
            raw = bytes(signed.serialize_transaction())
        code = bytes(contract.contract_type.get_deployment_bytecode())
        record = Deployment(
            chain_id=self.chain_id,
            address=str(account.get_deployment_address(nonce=signed.nonce)),
            deployer=str(account.address),
            transaction="0x" + keccak(raw).hex(),
            block=0,
            constructor_input="0x" + bytes(signed.data)[len(code) :].hex(),
            creation_code_hash="0x" + keccak(code).hex(),
            runtime_code_hash="0x" + keccak(runtime_code_of(contract)).hex(),
            compiler=version,
            settings={name: value for name, value in standard["settings"].items() if name != "outputSelection"},
            standard_input=name,
            standard_input_sha256=hashlib.sha256(text).hexdigest(),
            abi=abi_of(contract),
        )
        _write(self._sent, {**record.to_json(), "nonce": signed.nonce, "raw": "0x" + raw.hex()})

    def _finished(self) -> Deployment | None:
        """What was signed, once it is mined and recorded; None where it never will be."""
        document, record = _json_of(self._sent), Deployment.read(self._sent)
        nonce, raw = int(document["nonce"]), str(document["raw"])
        web3 = self._provider.web3
        with asking("look for the deployment"):
            # The nonce first: mined in between, the transaction is found after all.
            used = int(web3.eth.get_transaction_count(record.deployer))
            mined = self._receipt(record.transaction)
        if mined is None and used > nonce:
            self._sent.unlink()
            self._say(f"The transaction {record.transaction} was signed and never mined; its nonce is used otherwise")
            return None
        if mined is None and used < nonce:
            raise MarketError(
                f"{self._sent} has a deployment that was signed with nonce {nonce}, and {record.deployer} is at {used} "
                "on this node: wait until the node has caught up, or move the file away if the chain is another"
            )
        if mined is None:
            mined = self._mined(record.transaction, raw)
        if int(mined["status"]) != 1:
            self._sent.unlink()
            raise MarketError(f"deploy: the transaction {record.transaction} ran out of gas or was refused")
        recorded = replace(record, block=int(mined["blockNumber"]))
        _write(self.path, recorded.to_json())
        self._sent.unlink()
        return recorded

    def _mined(self, transaction: str, raw: str) -> Any:
        """The receipt, once there is one."""
        web3 = self._provider.web3
        with asking("deploy"):
            try:
                if self._unknown(transaction):
                    web3.eth.send_raw_transaction(raw)
                return web3.eth.wait_for_transaction_receipt(transaction, timeout=WAIT_SECONDS)
            except TimeExhausted as error:
                raise MarketError(
                    f"deploy: {transaction} is sent, and in no block after {WAIT_SECONDS} s: run this again to wait on"
                ) from error
            except Web3RPCError as error:
                raise MarketError(f"deploy: the node refused what {self._sent} has: {error.message}") from error

    def _receipt(self, transaction: str) -> Any:
        try:
            return self._provider.web3.eth.get_transaction_receipt(transaction)
        except TransactionNotFound:
            return None

    def _unknown(self, transaction: str) -> bool:
        try:
            self._provider.web3.eth.get_transaction(transaction)
        except TransactionNotFound:
            return True
        return False

    def check(self, contract: str) -> list[str]:
        """Hold what is deployed against the sources, and its record against the chain.

        Args:
            contract: an address, or the path of a record.

        Returns:
            One line for each thing that is off.

        Raises:
            MarketError: the node does not answer.
        """
        address, record = located(contract)
        other = _other_code(self._sources, self._provider, address)
        found = [other] if other else []
        if record is not None:
            found += self._off_record(record, Path(contract))
        return found

    def _off_record(self, record: Deployment, path: Path) -> list[str]:
        if record.chain_id != self.chain_id:
            return [f"{path} is about chain {record.chain_id}, and the node is on chain {self.chain_id}"]
        found, web3 = [], self._provider.web3
        with asking("read the deployment"):
            code = keccak(bytes(web3.eth.get_code(to_checksum_address(record.address))))
            mined = self._receipt(record.transaction)
            sent = None if mined is None else web3.eth.get_transaction(record.transaction)
        if "0x" + code.hex() != record.runtime_code_hash:
            found.append(f"runtime_code_hash of {path} is not that of the code at {record.address}")
        if mined is None or sent is None:
            found.append(f"the chain has no transaction {record.transaction}")
        else:
            creation, arguments = (
                bytes.fromhex(record.creation_code_hash[2:]),
                bytes.fromhex(record.constructor_input[2:]),
            )
            data = bytes(sent["input"])
            carried = data[: len(data) - len(arguments)]
            if keccak(carried) != creation or data[len(carried) :] != arguments:
                found.append(
                    f"the transaction {record.transaction} does not carry the code and constructor input of {path}"
                )
            said = {
                "block": int(mined["blockNumber"]),
                "deployer": str(sent["from"]),
                "address": mined["contractAddress"],
            }
            found += [
                f"{name} of {path} is {getattr(record, name)}, and the chain says {value}"
                for name, value in said.items()
                if getattr(record, name) != value
            ]
        if record.abi != abi_of(self._sources):
            found.append(f"abi of {path} is not that of the sources here")
        return found + _off_input(record, path, *self._input)


def _off_input(record: Deployment, path: Path, version: str, standard: dict[str, Any]) -> list[str]:
    """In what the file that explorers take is not the one that was deployed."""
    beside = path.with_name(record.standard_input)
    try:
        data = beside.read_bytes()
    except OSError as error:
        return [f"{beside}: {error.strerror}"]
    if hashlib.sha256(data).hexdigest() != record.standard_input_sha256:
        return [f"{beside} is not the file that {path} names: its SHA-256 differs"]
    if version != record.compiler or json.loads(data) != standard:
        return [f"{beside} or the compiler ({record.compiler}) is not what the sources and settings here are"]
    return []


def standard_input(project: Any) -> tuple[str, dict[str, Any]]:
    """The compiler's version, and what it is given for HCFL as standard JSON.

    Args:
        project: ape's local project.
    """
    source = project.path / compiled(project).contract_type.source_id
    ((version, given),) = compilers.get_compiler("solidity").get_standard_input_json([source], project=project).items()
    settings = {**given["settings"], "outputSelection": {"*": {"*": _OUTPUTS}}}
    return str(version), {"language": "Solidity", "sources": given["sources"], "settings": settings}


def _json_of(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        document = shallow_json(data) if len(data) <= MOST_BYTES else None
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}") from error
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise MarketError(f"{path} is no record of a deployment")
    return document


def _write(path: Path, document: dict[str, Any]) -> bytes:
    data = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
    write_atomically(path, data)
    return data
