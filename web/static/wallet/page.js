// Taking part in a round from its page: what is shown, and what the person's clicks do.
// Nothing typed or chosen here, and no salt, goes anywhere but into the files that are saved and, as calls, to the wallet.
import { formatEther, formatUnits, toQuantity } from "../ethers.js";
import { fileOf, isSealedBid, modelsDigest, newSalt, read } from "./bids.js";
import { Contract, doorOf, lineIn, lineOf, rootBy } from "./contract.js";
import { Phase, Reader, Stage } from "./facts.js";
import { Missing, STEPS, isWinner, joinValue, standing } from "./steps.js";
import { Wallet, discover, send, transactionOf, wordsOf } from "./wallet.js";

const REMEMBERED = "hcfl.wallet";

const part = (id) => document.getElementById(id);
const main = part("take-part");
const roundId = BigInt(main.dataset.round);
const LOOK = 2000 * Number(main.dataset.seconds); // milliseconds: half as often as the server looks at its node
const form = (name) => part(`do-${name}`);

const count = (number) => number.toLocaleString("en");
const decimal = (text) => {
  const [whole, rest] = text.split(".");
  return count(BigInt(whole)) + (rest && rest !== "0" ? `.${rest}` : "");
};
const eth = (wei) => (wei !== 0n && wei < 10n ** 14n ? `${decimal(formatUnits(wei, "gwei"))} gwei` : `${decimal(formatEther(wei))} ETH`);
const time = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC");
const percent = (bps) => `${Number(bps) / 100} %`;

let contract = null;
let wallet = null;
let account = null;
let membership = null; // text of a chosen list
let sealed = null; // the bid in a chosen file, of this account alone
let reader = null;
let facts = null;
let busy = false;
let turn = 0; // counts accounts and chains: what was asked for one is not shown for the next

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const fill = (name, text) => main.querySelectorAll(`[data-fill="${name}"]`).forEach((each) => setText(each, text));
const show = (element, yes) => {
  element.hidden = !yes;
};
const problem = (text) => setText(part("problem"), text);

function told(text) {
  const line = document.createElement("li");
  line.textContent = text;
  part("told").append(line);
  show(part("sent"), true);
  return (more) => setText(line, more);
}

// ── the wallet ──

function offer(info, provider) {
  show(part("no-wallet"), false);
  const button = document.createElement("button");
  button.type = "button";
  if (/^data:image\//.test(info.icon ?? "")) {
    const icon = document.createElement("img");
    Object.assign(icon, { src: info.icon, alt: "", width: 24, height: 24 });
    button.append(icon);
  }
  button.append(`Connect ${String(info.name).slice(0, 40)}`);
  button.addEventListener("click", () => connect(info, provider, true));
  const line = document.createElement("li");
  line.append(button);
  part("wallets").append(line);
  // After a reload: who has connected this page before need not say so again.
  if (sessionStorage.getItem(REMEMBERED) === info.rdns) connect(info, provider, false);
}

async function connect(info, provider, ask) {
  wallet?.off("accountsChanged", changed);
  wallet?.off("chainChanged", changed);
  wallet = new Wallet(provider);
  wallet.on("accountsChanged", changed);
  wallet.on("chainChanged", changed);
  problem("");
  try {
    await wallet.account(ask);
    sessionStorage.setItem(REMEMBERED, info.rdns);
  } catch (error) {
    problem(wordsOf(error, contract));
  }
  await changed();
}

// Another account or chain: whatever was of the one before goes, from the page and from memory.
async function changed() {
  const mine = ++turn;
  account = reader = facts = sealed = membership = null;
  for (const each of main.querySelectorAll("form")) each.reset();
  part("list").value = "";
  for (const each of main.querySelectorAll("[data-file]")) setText(each, "");
  for (const each of main.querySelectorAll("[data-fill]")) setText(each, "");
  part("bids").replaceChildren();
  delete part("bids").dataset.of;
  for (const id of ["place", "wrong-chain"]) show(part(id), false);
  try {
    const [found, chainId] = [await wallet.account(), await wallet.chainId()];
    if (mine !== turn) return;
    show(part("connected"), Boolean(found));
    fill("account", found ?? "");
    fill("chain", String(contract.chainId));
    fill("wallet-chain", String(chainId));
    if (!found) return;
    if (chainId !== contract.chainId) {
      show(part("wrong-chain"), true);
      return;
    }
    if ((await wallet.request("eth_getCode", contract.address, "latest")) === "0x") {
      throw new Error(`The wallet's node has no contract at ${contract.address}: it is another chain of the same number.`);
    }
    if (mine !== turn) return;
    account = found;
    reader = new Reader(contract, wallet, roundId, account);
  } catch (error) {
    if (mine === turn) problem(wordsOf(error, contract));
    return;
  }
  problem("");
  await look();
}

async function switchChain() {
  try {
    await wallet.request("wallet_switchEthereumChain", { chainId: toQuantity(contract.chainId) });
  } catch (error) {
    problem(wordsOf(error, contract));
  }
}

// ── what is there ──

let seenBlock = null;

async function look() {
  if (!reader) return;
  const mine = turn;
  try {
    const of = await publicOf();
    const found = await reader.facts(of, line(of));
    if (mine !== turn) return;
    found.termsHash = contract.termsHash(found.terms);
    facts = admitted(found);
    seenBlock = facts.head.number;
    problem("");
    render();
    await price();
  } catch (error) {
    if (mine === turn) problem(wordsOf(error, contract));
  }
}

async function publicOf() {
  const answer = await fetch(`/rounds/${roundId}/members/${account}`).catch(() => null);
  if (!answer?.ok) throw new Error("The server of this page does not answer; your wallet and what you have sent are not touched.");
  return answer.json();
}

// The account's line of the list that was chosen, or of the server's.
function line(of) {
  if (membership !== null) return lineIn(membership, account);
  return of.listed ? lineOf(of.listed, account) : null;
}

// Keeps a line only if it opens the round's door together with the terms that are shown.
function admitted(found) {
  const opens = found.line && doorOf(rootBy(found.line), found.termsHash) === found.door;
  const wrong = found.line && !opens;
  fill("listed", wrong ? "The list at hand is not this round's: with it nobody is admitted." : opens
    ? `On the list${found.line.name ? ` as ${found.line.name}` : ""}; the proof opens the round's door with the terms above.`
    : "This account is on no list at hand.");
  if (!wrong) return found;
  const isMember = found.stage !== Stage.NONE;
  return { ...found, line: null, ...(isMember ? {} : { role: undefined, lock: 0n, worst: 0n }) };
}

function render() {
  const { terms, deadlines } = facts;
  show(part("place"), true);
  show(part("what-you-lose"), facts.role !== undefined);
  fill("balance", eth(facts.balance));
  fill("free", eth(facts.free));
  fill("underway", facts.underway > 0 && !busy
    ? `${facts.underway} of this account's transactions are on their way, sent from here before or from elsewhere: wait for them before you send another.`
    : "");
  fill("role", facts.role === undefined ? "none" : contract.words.roles[facts.role]);
  fill("points", facts.role === undefined ? "" : String(facts.points));
  fill("lock", eth(facts.lock));
  fill("worst", eth(facts.worst));
  fill("value", eth(joinValue(facts)));
  for (const name of ["maxOwnerBid", "maxStationBid"]) fill(name, `${count(terms[name])} gwei`);
  for (const name of ["bond", "contributionStake"]) fill(name, eth(terms[name]));
  fill("ownerPolicy", contract.words.policies[terms.ownerPolicy]);
  fill("surplus", `${percent(terms.surplusMinBps)} … ${percent(terms.surplusMaxBps)}`);
  for (const name of ["thresholdBps", "toleranceBps"]) fill(name, percent(terms[name]));
  fill("maxModels", String(terms.maxModels));
  for (const [name, at] of Object.entries(deadlines)) fill(`deadline-${name}`, time(at));
  fill("termsHash", facts.termsHash);
  fill("phase", contract.words.phases[facts.phase]);
  fill("now", time(facts.now));
  fill("standing", standing(facts, contract.words.waits[facts.phase]));
  fill("drawOpens", time(facts.drawOpens));
  fill("lot", eth(facts.round.lot));
  fill("cap", `${count(facts.cap)} gwei`);
  const claimed = facts.of.claimed_accuracy_bps;
  fill("claimed", claimed === null ? "not read yet" : percent(claimed));
  fill("punishes", claimed === null ? "" : percent(Math.max(0, claimed - Number(terms.toleranceBps))));
  fill("final", facts.phase === Phase.COMMIT && facts.final < deadlines.join
    ? "The last block of proposals is not final yet: if the chain changes its mind, a bid that you seal now is for other models. Better wait."
    : "");
  const { settled } = facts.of;
  const moved = settled && Object.entries(settled).filter(([, wei]) => wei !== "0").map(([name, wei]) => `${name} ${eth(BigInt(wei))}`);
  fill("settled", moved ? `Settled: ${moved.join(", ") || "the whole lock came back"}.` : "");
  show(part("by-command"), facts.stage !== Stage.NONE);
  show(part("as-owner"), facts.role === 0);
  show(part("as-station"), facts.role === 1);
  show(part("winner"), isWinner(facts));
  models();
  for (const [name, step] of Object.entries(STEPS)) show(form(name), step.when(facts));
}

// A field for each model; made anew only where the models are others.
function models() {
  const body = part("bids");
  const of = facts.models.length ? modelsDigest(facts.models) : "";
  if (body.dataset.of === of) return;
  body.dataset.of = of;
  sealed = null;
  body.replaceChildren(...facts.models.map((model, number) => {
    const row = document.createElement("tr");
    const cell = (text, tag = "td") => {
      const made = document.createElement(tag);
      made.textContent = text;
      row.append(made);
      return made;
    };
    cell(String(number), "th").scope = "row";
    cell(model.proposer === account ? "you" : `${model.proposer.slice(0, 6)}…${model.proposer.slice(-4)}`);
    cell(String(model.globalRounds));
    const input = document.createElement("input");
    Object.assign(input, { type: "text", inputMode: "numeric", autocomplete: "off", name: `bid-${number}` });
    input.setAttribute("aria-label", `Your bid for model ${number}, gwei`);
    cell("").append(input);
    return row;
  }));
  show(part("no-models"), !facts.models.length);
}

// ── the sealed bid ──

const sealing = () => ({
  chainId: contract.chainId, contract: contract.address, roundId, account, models: modelsDigest(facts.models), count: facts.models.length, cap: facts.cap,
});

// Make the salt, and save it with the bids before anything is sent.
function save() {
  const said = main.querySelector("#do-commit [data-file]");
  const bids = [];
  for (const input of part("bids").querySelectorAll("input")) {
    const text = input.value.trim();
    if (!/^\d{1,16}$/.test(text) || BigInt(text) > facts.cap) {
      setText(said, `${input.getAttribute("aria-label")}: a whole number of gwei, ${count(facts.cap)} at most.`);
      input.focus();
      return;
    }
    bids.push(BigInt(text));
  }
  const file = new Blob([fileOf({ ...sealing(), bids, salt: newSalt() })], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `hcfl-bid-${roundId}-${account.slice(2, 10).toLowerCase()}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  sealed = null;
  setText(said, `Saved as ${link.download}. Now choose that file: what is sealed is what you can open again.`);
  part("commit-file").focus();
  price();
}

async function choose(input) {
  const mine = turn;
  const said = input.closest("form").querySelector("[data-file]");
  sealed = null;
  setText(said, "");
  const [file] = input.files;
  if (file) {
    try {
      const text = file.size < 100_000 ? await file.text() : "";
      if (mine !== turn || !facts) return;
      sealed = read(text, sealing());
      if (facts.stage >= Stage.COMMITTED && !isSealedBid(sealed.commitment, facts.me.sealedBid)) {
        sealed = null;
        throw new Error("This file is not the bid that you have sealed on chain: choose the right one.");
      }
      setText(said, `It seals ${sealed.bids.map((bid, model) => `${count(bid)} gwei for model ${model}`).join(", ") || "no bid, for there is no model"}.`);
    } catch (error) {
      input.value = "";
      setText(said, error.message);
    }
  }
  await price();
}

async function chooseList(input) {
  const [file] = input.files;
  const mine = turn;
  membership = file ? await file.text() : null;
  if (mine === turn) await look();
}

// ── steps ──

const typed = (name) => Object.fromEntries(new FormData(form(name).querySelector("form")));

function called(name) {
  return transactionOf(contract, account, STEPS[name].call(facts, typed(name), sealed));
}

// What each step that is shown would cost, or what it lacks, or why it would be refused.
async function price() {
  await Promise.all(Object.keys(STEPS).filter((name) => !form(name).hidden).map(priceOf));
}

const asked = {};

async function priceOf(name) {
  const mine = turn;
  const mark = (asked[name] = Symbol(name));
  const cost = form(name).querySelector("[data-cost]");
  const button = form(name).querySelector("[type=submit]");
  let words;
  let possible = false;
  try {
    const transaction = called(name);
    const { gas, fee } = await wallet.cost(transaction);
    const value = BigInt(transaction.value);
    words = `Costs about ${count(gas)} gas, a fee of ${eth(fee)} at the price of now${value ? `, and sends ${eth(value)}` : ""}.`;
    possible = true;
  } catch (error) {
    words = error instanceof Missing ? error.message : `It would be refused: ${wordsOf(error, contract)}.`;
  }
  if (mine !== turn || asked[name] !== mark) return;
  setText(cost, words);
  button.disabled = busy || !possible;
}

async function act(name) {
  if (busy || !facts) return;
  const mine = turn;
  busy = true;
  for (const each of main.querySelectorAll("[type=submit]")) each.disabled = true;
  const title = form(name).querySelector("h3").textContent;
  const say = told(`${title}: confirm it in the wallet.`);
  try {
    // The wallet may have changed its mind a moment ago.
    if ((await wallet.account()) !== account || (await wallet.chainId()) !== contract.chainId) {
      throw new Error("The wallet has another account or chain now; nothing was sent.");
    }
    const transaction = called(name);
    const { gas } = await wallet.cost(transaction);
    if (mine !== turn) throw new Error("The wallet has another account or chain now; nothing was sent.");
    const { words, fee } = await send(wallet, contract, transaction, gas, LOOK / 2, (more) => say(`${title}: ${more}`));
    say(`${title}: ${words}${fee === undefined ? "" : `, for a fee of ${eth(fee)}`}.`);
    if (mine === turn && ["deposit", "withdraw"].includes(name)) form(name).querySelector("form").reset();
  } catch (error) {
    say(`${title}: ${wordsOf(error, contract)}`);
  } finally {
    busy = false;
    await look();
  }
}

// ── begin ──

async function begin() {
  for (;;) {
    const found = await fetch("/contract.json").then((answer) => answer.json());
    if (found.contract) {
      contract = new Contract(found);
      break;
    }
    problem("The server has not read its node yet.");
    await new Promise((done) => setTimeout(done, LOOK));
  }
  problem("");
  for (const name of Object.keys(STEPS)) {
    const fields = form(name).querySelector("form");
    fields.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!fields.querySelector("[type=submit]").disabled) act(name);
    });
    fields.addEventListener("input", () => facts && priceOf(name));
    for (const input of fields.querySelectorAll("[type=file]")) input.addEventListener("change", () => choose(input));
  }
  part("save-bid").addEventListener("click", save);
  part("list").addEventListener("change", () => chooseList(part("list")));
  part("switch-chain").addEventListener("click", switchChain);
  discover(offer);
  setInterval(async () => {
    if (!reader || busy) return;
    const head = await wallet.block("latest").catch(() => null);
    // The server reads the node for itself, and may be behind.
    if (head && (head.number !== seenBlock || (facts?.of.head ?? 0) < Number(seenBlock))) await look();
  }, LOOK);
}

begin().catch((error) => problem(`This page cannot go on: ${error.message}`));
