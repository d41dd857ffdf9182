// A wallet in the browser (EIP-1193), found by EIP-6963. It alone speaks to the node, and it alone signs.
import { getAddress, toQuantity } from "../ethers.js";
import { revertData } from "./contract.js";

// Told of each wallet once.
export function discover(found) {
  const seen = new Set();
  addEventListener("eip6963:announceProvider", ({ detail }) => {
    const { info, provider } = detail ?? {};
    if (!info?.uuid || !provider?.request || seen.has(info.uuid)) return;
    seen.add(info.uuid);
    found(info, provider);
  });
  dispatchEvent(new Event("eip6963:requestProvider"));
}

const WORDS = {
  4001: "You declined in the wallet; nothing was sent.",
  4100: "The wallet does not act for this account: choose it there, or connect again.",
  4900: "The wallet has no connection to a node.",
  4901: "The wallet has no connection to this chain.",
  4902: "The wallet does not know this chain: add it there first.",
};

// Why it was refused, in words.
export function wordsOf(error, contract) {
  const said = contract.explain(revertData(error));
  if (said) return said;
  if (error?.code in WORDS) return WORDS[error.code];
  const text = String(error?.message ?? error);
  if (/insufficient funds/i.test(text)) return "The account has not enough ether for this and its fee.";
  return text.length > 300 ? `${text.slice(0, 300)} …` : text;
}

export class Wallet {
  constructor(provider) {
    this.provider = provider;
  }

  request(method, ...params) {
    return this.provider.request({ method, params });
  }

  on(name, listener) {
    this.provider.on?.(name, listener);
  }

  off(name, listener) {
    this.provider.removeListener?.(name, listener);
  }

  // The account that it has chosen; null: none is connected. Asks the person only if `ask`.
  async account(ask = false) {
    const [first] = await this.request(ask ? "eth_requestAccounts" : "eth_accounts");
    return first ? getAddress(first) : null;
  }

  async chainId() {
    return BigInt(await this.request("eth_chainId"));
  }

  // Whether it still is with this account on this chain.
  async isAt(account, chainId) {
    return (await this.account()) === account && (await this.chainId()) === chainId;
  }

  // A block's number, hash and time; null: there is none.
  async block(which) {
    const found = await this.request("eth_getBlockByNumber", which, false);
    return found && { number: BigInt(found.number), hash: found.hash, time: Number(found.timestamp) };
  }

  // A view of the contract at a block.
  async view(contract, at, name, ...values) {
    const call = { to: contract.address, data: contract.encode(name, values) };
    return contract.decode(name, await this.request("eth_call", call, at));
  }

  async nonce(account, which) {
    return Number(await this.request("eth_getTransactionCount", account, which));
  }

  // What a call would cost: gas, and wei at the price of now.
  async cost(transaction) {
    const [gas, price] = await Promise.all([this.request("eth_estimateGas", transaction), this.request("eth_gasPrice")]);
    return { gas: BigInt(gas), fee: BigInt(gas) * BigInt(price) };
  }
}

// A call as a transaction; amounts are BigInt.
export const transactionOf = (contract, from, [name, values, value = 0n]) => ({
  from,
  to: contract.address,
  data: contract.encode(name, values),
  value: toQuantity(value),
});

const MOST_BLOCKS = 256;
const MOST_GONE = 10; // looks at a nonce that is taken without a sign of by what: a node may tell of it before the receipt
const MOST_LOST = 20; // looks at a transaction that the node does not know
const passed = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Have the wallet sign and send, and follow the transaction until it is mined, whatever the person does to it meanwhile.
// `told` hears what goes on. Throws only where nothing was sent. Returns how it ended, in words, and its fee if it was mined.
export async function send(wallet, contract, transaction, gas, pause, told) {
  const first = (await wallet.block("latest")).number;
  const nonce = await wallet.nonce(transaction.from, "pending");
  // Last of all, and once more by the wallet itself: elsewhere there may be no contract at this address, and the ether is gone.
  if (!(await wallet.isAt(transaction.from, contract.chainId))) {
    throw new Error("The wallet has another account or chain now; nothing was sent.");
  }
  const asked = { ...transaction, gas: toQuantity((gas * 5n) / 4n), chainId: toQuantity(contract.chainId) };
  const hash = await wallet.request("eth_sendTransaction", asked);
  const sent = `Sent as ${hash}; it waits for a block.`;
  const follower = new Follower(wallet, contract, transaction, hash, nonce, first);
  told(sent);
  for (; ; await passed(pause)) {
    // What cannot be read now is no end: who thinks that nothing was sent sends it again.
    const why = await follower.look().catch((error) => wordsOf(error, contract));
    if (follower.end) return follower.end;
    told(why ? `${sent} What becomes of it cannot be read now: ${why}` : sent);
  }
}

// A transaction on its way; `end` is set once it is known.
class Follower {
  end = null;
  #gone = 0;
  #lost = 0;

  constructor(wallet, contract, transaction, hash, nonce, first) {
    Object.assign(this, { wallet, contract, transaction, hash, nonce, first });
  }

  async look() {
    const { wallet, contract, transaction, hash } = this;
    const { from } = transaction;
    if ((await wallet.chainId()) !== contract.chainId) throw new Error("the wallet is on another chain; switch it back.");
    const found = await wallet.request("eth_getTransactionByHash", hash);
    if (found && !isAsked(found, transaction)) {
      return this.#ends(`The wallet has answered with ${hash}, which is another transaction than this page asked for: look it up there`);
    }
    if (found) [this.nonce, this.#lost] = [Number(found.nonce), 0];
    const receipt = await wallet.request("eth_getTransactionReceipt", hash);
    if (receipt) return this.#mined(hash, receipt);
    if ((await wallet.nonce(from, "latest")) > this.nonce) {
      const other = await this.#taker();
      if (other && other.hash !== hash) return this.#replaced(other);
      if (++this.#gone > MOST_GONE) return this.#ends("Another transaction took its place: look it up in the wallet");
    } else if (!found && ++this.#lost > MOST_LOST) {
      return this.#ends(`Sent as ${hash}, and the node does not know it: it was dropped, or waits elsewhere. Look it up in the wallet before you send it again`);
    }
  }

  #ends(words, fee) {
    this.end = { words, fee };
  }

  // The transaction of the account that took the nonce, from the block before on.
  async #taker() {
    const last = (await this.wallet.block("latest")).number;
    for (let number = last; number >= this.first && last - number < MOST_BLOCKS; number--) {
      const block = await this.wallet.request("eth_getBlockByNumber", toQuantity(number), true);
      const found = block?.transactions.find((each) => getAddress(each.from) === this.transaction.from && Number(each.nonce) === this.nonce);
      if (found) return found;
    }
    return null;
  }

  async #replaced(other) {
    if (isAsked(other, this.transaction)) {
      const receipt = await this.wallet.request("eth_getTransactionReceipt", other.hash);
      return this.#mined(other.hash, receipt, "Replaced in the wallet by the same with another fee. ");
    }
    const how = other.input === "0x" ? "Cancelled in the wallet by" : "Replaced in the wallet by another transaction,";
    return this.#ends(`${how} ${other.hash}: it was not done`);
  }

  async #mined(hash, receipt, before = "") {
    const fee = BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice ?? 0);
    if (BigInt(receipt.status) === 1n) return this.#ends(`${before}Done in ${hash}`, fee);
    const { from, to, data, value } = this.transaction;
    const why = await this.wallet.request("eth_call", { from, to, data, value }, receipt.blockNumber).then(
      () => "it was refused when it was mined",
      (error) => wordsOf(error, this.contract),
    );
    return this.#ends(`${before}Refused in ${hash}: ${why}`, fee);
  }
}

// Whether a transaction of the chain is the one that was asked for, whatever its fee.
const isAsked = ({ from, to, input, value }, asked) =>
  getAddress(from) === asked.from && Boolean(to) && getAddress(to) === asked.to && input === asked.data && BigInt(value) === BigInt(asked.value);
