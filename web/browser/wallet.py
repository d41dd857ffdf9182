"""A wallet for the page to take part, of its tests and picture: found by EIP-6963, it signs with test keys.

As a browser's extension does, it lives outside of the page: the page's requests reach it here, and none goes over the
page's own network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address
from playwright.sync_api import BrowserContext, Page

from analysis.devnode.chain import Chain

GWEI = 10**9

PROVIDER = """
(() => {
  const listeners = {};
  window.__emit = (name, value) => (listeners[name] ?? []).slice().forEach((listener) => listener(value));
  const provider = {
    async request({ method, params }) {
      const { result, error, events } = await window.__wallet(method, params ?? []);
      for (const [name, value] of events) window.__emit(name, value);
      if (error) throw Object.assign(new Error(error.message), error);
      return result;
    },
    on(name, listener) { (listeners[name] ??= []).push(listener); },
    removeListener(name, listener) { listeners[name] = (listeners[name] ?? []).filter((each) => each !== listener); },
  };
  const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'/>";
  const info = { uuid: "350670db-19fa-4704-a166-e52e178b59d2", name: "Test wallet", icon, rdns: "org.example.test" };
  const announce = () =>
    dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


def key_of(name: str) -> LocalAccount:
    """The account of that name; everybody knows its key."""
    account: LocalAccount = Account.from_key(keccak(text=f"HCFL test wallet of {name}"))
    return account


class Refused(Exception):
    """What the wallet answers with an error."""

    def __init__(self, code: int, message: str, data: Any = None):
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


@dataclass
class Wallet:
    """A wallet with some accounts, of which one is chosen.

    Attributes:
        chain: the node that it talks to.
        accounts: whose keys it holds; the first is chosen at first.
        rejects: the person declines whatever is asked.
        meddle: stands before the wallet: gives an answer to a call, or None for the wallet's own; may raise `Refused`.
        sent: hashes of the transactions that it has sent.
        asked: methods that the page has called.
        signed: each transaction, by its hash.
    """

    chain: Chain
    accounts: Sequence[LocalAccount]
    rejects: bool = False
    meddle: Callable[[str, list[Any]], Any] = lambda method, params: None
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    signed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _chosen: int = 0
    _chain_id: int = 0
    _connected: bool = False
    _events: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chain_id = self.chain.chain_id

    @property
    def account(self) -> LocalAccount:
        """The one that is chosen."""
        return self.accounts[self._chosen]

    def into(self, context: BrowserContext) -> None:
        """Put it into every page of a window."""
        context.expose_function("__wallet", self.request)
        context.add_init_script(PROVIDER)

    # ── what its person does ──

    def choose(self, number: int, *pages: Page) -> None:
        """Choose another account."""
        self._chosen = number
        self._tell(pages, "accountsChanged", [self.account.address])

    def go_to(self, chain_id: int, *pages: Page) -> None:
        """Choose another chain."""
        self._chain_id = chain_id
        self._tell(pages, "chainChanged", hex(chain_id))

    def replace(self, digest: str, **changes: Any) -> str:
        """Send another transaction in place of one that waits, for a higher fee; the rest is its own or given."""
        old = self.signed[digest]
        fees = {name: 2 * old[name] for name in ("maxFeePerGas", "maxPriorityFeePerGas")}
        return self._send({**old, **fees, **changes})

    @staticmethod
    def _tell(pages: Sequence[Page], name: str, value: Any) -> None:
        for page in pages:
            page.evaluate("([name, value]) => window.__emit(name, value)", [name, value])

    # ── what the page asks ──

    def request(self, method: str, params: list[Any]) -> dict[str, Any]:
        """Answer the page, as an EIP-1193 provider does."""
        self.asked.append(method)
        self._events = []
        try:
            answer = self.meddle(method, params)
            return {
                "result": self._answer(method, params) if answer is None else answer,
                "error": None,
                "events": self._events,
            }
        except Refused as refused:
            return {"result": None, "error": refused.error, "events": self._events}

    def _answer(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_requestAccounts":
                self._confirm()
                self._connected = True
                return [self.account.address.lower()]
            case "eth_accounts":
                return [self.account.address.lower()] if self._connected else []
            case "eth_chainId":
                return hex(self._chain_id)
            case "wallet_switchEthereumChain":
                self._confirm()
                self._chain_id = int(params[0]["chainId"], 16)
                self._events.append(("chainChanged", hex(self._chain_id)))
                return None
            case "personal_sign":
                self._confirm()
                signed = self.account.sign_message(encode_defunct(hexstr=params[0]))
                return "0x" + bytes(signed.signature).hex()
            case "eth_sendTransaction":
                return self._asked_to_send(params[0])
        return self._node(method, params)

    def _confirm(self) -> None:
        if self.rejects:
            raise Refused(4001, "User rejected the request.")

    def _asked_to_send(self, asked: dict[str, str]) -> str:
        self._confirm()
        if to_checksum_address(asked["from"]) != self.account.address:
            raise Refused(4100, "The requested account has not been authorized.")
        if "chainId" in asked and int(asked["chainId"], 16) != self._chain_id:
            raise Refused(-32602, f"chainId {asked['chainId']} is not that of the wallet, {hex(self._chain_id)}.")
        base = int(self._node("eth_getBlockByNumber", ["latest", False])["baseFeePerGas"], 16)
        nonce = int(self._node("eth_getTransactionCount", [self.account.address, "pending"]), 16)
        return self._send(
            {
                "type": 2,
                "chainId": self._chain_id,
                "nonce": nonce,
                "to": to_checksum_address(asked["to"]),
                "data": asked["data"],
                "value": int(asked.get("value", "0x0"), 16),
                "gas": int(asked["gas"], 16),
                "maxFeePerGas": 2 * base + GWEI,
                "maxPriorityFeePerGas": GWEI,
            }
        )

    def _send(self, transaction: dict[str, Any]) -> str:
        raw = bytes(self.account.sign_transaction(transaction).raw_transaction)
        digest: str = self._node("eth_sendRawTransaction", ["0x" + raw.hex()])
        self.sent.append(digest)
        self.signed[digest] = transaction
        return digest

    def _node(self, method: str, params: list[Any]) -> Any:
        (answer,) = self.chain.raw_batch([(method, tuple(params))])
        if "error" in answer:
            error = answer["error"]
            raise Refused(error["code"], error["message"], error.get("data"))
        return answer["result"]
