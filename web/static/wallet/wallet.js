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

  // A block's number and time; null: there is none.
  async block(which) {
    const found = await this.request("eth_getBlockByNumber", which, false);
    return found && { number: BigInt(found.number), time: Number(found.timestamp) };
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
const passed = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Have the wallet sign and send, and follow the transaction until it is mined, whatever the person does to it meanwhile.
// `told` hears what goes on. Returns how it ended: done, failed, cancelled or replaced.
export async function send(wallet, contract, transaction, gas, pause, told) {
  const first = (await wallet.block("latest")).number;
  const asked = { ...transaction, gas: toQuantity((gas * 5n) / 4n) };
  let nonce = await wallet.nonce(transaction.from, "pending");
  const hash = await wallet.request("eth_sendTransaction", asked);
  told(`Sent as ${hash}; it waits for a block.`);
  let known = false;
  for (let gone = 0; ; await passed(pause)) {
    const receipt = await wallet.request("eth_getTransactionReceipt", hash);
    if (receipt) return ended(wallet, contract, transaction, hash, receipt);
    if (!known) {
      const pending = await wallet.request("eth_getTransactionByHash", hash);
      if (pending) [nonce, known] = [Number(pending.nonce), true];
    }
    if ((await wallet.nonce(transaction.from, "latest")) <= nonce) continue;
    const other = await taker(wallet, transaction.from, nonce, first);
    if (other && other.hash !== hash) return replaced(wallet, contract, transaction, other);
    // A node may tell of the nonce before it tells of the receipt.
    if (++gone > 10) return { end: "replaced", words: "Another transaction took its place: look it up in the wallet." };
  }
}

// The transaction of an account that took a nonce, from a block on.
async function taker(wallet, account, nonce, first) {
  const last = (await wallet.block("latest")).number;
  for (let number = last; number >= first && last - number < MOST_BLOCKS; number--) {
    const block = await wallet.request("eth_getBlockByNumber", toQuantity(number), true);
    const found = block?.transactions.find((each) => getAddress(each.from) === account && Number(each.nonce) === nonce);
    if (found) return found;
  }
  return null;
}

async function replaced(wallet, contract, transaction, other) {
  const same = other.to && getAddress(other.to) === transaction.to && other.input === transaction.data;
  if (same && BigInt(other.value) === BigInt(transaction.value)) {
    const receipt = await wallet.request("eth_getTransactionReceipt", other.hash);
    return ended(wallet, contract, transaction, other.hash, receipt, "Replaced in the wallet by the same with another fee. ");
  }
  if (other.input === "0x") return { end: "cancelled", words: `Cancelled in the wallet by ${other.hash}: it was not done.` };
  return { end: "replaced", words: `Replaced in the wallet by another transaction, ${other.hash}: it was not done.` };
}

async function ended(wallet, contract, transaction, hash, receipt, before = "") {
  const fee = BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice ?? 0);
  if (BigInt(receipt.status) === 1n) return { end: "done", words: `${before}Done in ${hash}`, fee };
  const { from, to, data, value } = transaction;
  const why = await wallet.request("eth_call", { from, to, data, value }, receipt.blockNumber).then(
    () => "it was refused when it was mined",
    (error) => wordsOf(error, contract),
  );
  return { end: "failed", words: `${before}Refused in ${hash}: ${why}`, fee };
}
