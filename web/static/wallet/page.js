// Taking part in a round from its page: what is shown, and what the person's clicks do.
// Nothing typed or chosen here, and no salt, goes anywhere but into the files that are saved and, as calls, to the wallet.
import { Signature, hexlify, toQuantity, toUtf8Bytes, verifyMessage } from "../ethers.js";
import { fileOf, isSealedBid, misfit, modelsDigest, newSalt, read } from "./bids.js";
import { Contract, Role, doorOf, lineIn, lineOf, rootBy } from "./contract.js";
import { Phase, Reader, Stage } from "./facts.js";
import { Missing, STEPS, isWinner, joinValue, standing } from "./steps.js";
import { Wallet, discover, send, transactionOf, wordsOf } from "./wallet.js";
import { count, eth, percent, time } from "./words.js";

const REMEMBERED = "hcfl.wallet";

const part = (id) => document.getElementById(id);
const main = part("take-part");
const roundId = BigInt(main.dataset.round);
const LOOK = 2000 * Number(main.dataset.seconds); // milliseconds: half as often as the server looks at its node
const form = (name) => part(`do-${name}`);

let contract = null;
let wallet = null;
let account = null;
let membership = null; // text of a chosen list
let sealed = null; // the bid in a chosen file, of this account alone
let reader = null;
let facts = null;
let busy = null; // the step that waits for the wallet or for a block
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
  account = reader = facts = sealed = busy = heard = null;
  for (const each of main.querySelectorAll("form")) each.reset();
  part("public-key").value = "";
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
    fill("contract", contract.address);
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

// Have the browser save a file of this account's; its name.
function saved(what, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `hcfl-${what}-${account.slice(2, 10).toLowerCase()}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return link.download;
}

// The card of an encryption key, which a command has made: the wallet signs whose it is.
async function signCard() {
  const mine = turn;
  const key = part("public-key").value.trim();
  if (!/^04[0-9a-f]{128}$/.test(key)) {
    fill("card", "Type the public key that `ape run membership --card` shows: 04 and 128 hexadecimal digits.");
    return;
  }
  const statement = `HCFL: texts for ${account} are encrypted to ${key}`;
  try {
    const signature = await wallet.request("personal_sign", hexlify(toUtf8Bytes(statement)), account);
    if (mine !== turn) return;
    if (verifyMessage(statement, signature) !== account) throw new Error("The wallet signed for another account.");
    const card = JSON.stringify({ account, public_key: key, signature: Signature.from(signature).serialized.slice(2) });
    fill("card", `Saved as ${saved("card", card)}: hand it to who makes the membership list.`);
  } catch (error) {
    if (mine === turn) fill("card", wordsOf(error, contract));
  }
}

// ── what is there ──

// What the server says of an account of which it says nothing; deadlines do not wait for it.
const NOTHING = { head: null, listed: null, words: null, settled: null, drawn_at: null, claimed_accuracy_bps: null };

let heard = null; // what the server said last of this account
let looking = null;
let again = false;

// One look after the other: a slow one is not shown over a later one.
function look() {
  again = true;
  looking ??= (async () => {
    while (again) {
      again = false;
      await lookOnce();
    }
    looking = null;
  })();
  return looking;
}

async function lookOnce() {
  if (!reader) return;
  const mine = turn;
  try {
    const [of, away] = await publicOf();
    if (mine !== turn) return;
    heard = of;
    const [listed, wrong] = line(of);
    const found = await reader.facts(of, listed);
    if (mine !== turn) return;
    found.termsHash = contract.termsHash(found.terms);
    facts = admitted(found, wrong);
    problem(away);
    render();
    await price();
  } catch (error) {
    if (mine === turn) problem(wordsOf(error, contract));
  }
}

// What the server says of the account; while it is away what it said last, and a word about it.
async function publicOf() {
  const answer = await fetch(`/rounds/${roundId}/members/${account}`).catch(() => null);
  if (answer?.ok) return [await answer.json(), ""];
  return [heard ?? NOTHING, "The server of this page does not answer. The page goes on with what your wallet reads of the chain: leave it open, it cannot be loaded again now."];
}

// The account's line of the list that was chosen, or of the server's; and why it cannot be read.
function line(of) {
  try {
    if (membership !== null) return [lineIn(membership, account), null];
    return [of.listed ? lineOf(of.listed, account) : null, null];
  } catch (error) {
    return [null, error.message];
  }
}

// Keeps a line only if it opens the round's door together with the terms that are shown.
function admitted(found, wrong) {
  const opens = found.line && doorOf(rootBy(found.line), found.termsHash) === found.door;
  fill("listed", wrong ?? (!found.line ? "This account is on no list at hand." : opens
    ? `On the list${found.line.name ? ` as ${found.line.name.slice(0, 40)}` : ""}; your proof fits this round and the terms above.`
    : "The list at hand is not this round's: with it nobody is admitted."));
  if (!found.line || opens) return found;
  const isMember = found.stage !== Stage.NONE;
  return { ...found, line: null, ...(isMember ? {} : { role: undefined, lock: 0n, worst: 0n }) };
}

// Of what the server says of a settlement, what was collected before what was paid.
const SETTLED = [
  ["share", "you paid a share of"], ["tax", "a Clarke tax of"], ["slashed", "lost of the bond"], ["bonus", "lost of the stake", -1n],
  ["forfeited", "missed of the reward"], ["reward", "earned a reward of"], ["bonus", "gained on the stake"],
];

const isDrawFinal = ({ final, of }) => of.drawn_at !== null && of.drawn_at <= final;

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
  fill("lock", facts.role === undefined ? "what the terms ask of your role" : eth(facts.lock));
  fill("worst", eth(facts.worst));
  fill("value", facts.role === undefined ? "the rest" : eth(joinValue(facts)));
  for (const name of ["maxOwnerBid", "maxStationBid"]) fill(name, `${count(terms[name])} gwei`);
  for (const name of ["bond", "contributionStake"]) fill(name, eth(terms[name]));
  fill("ownerPolicy", contract.words.policies[terms.ownerPolicy]);
  fill("surplus", `${percent(terms.surplusMinBps)} … ${percent(terms.surplusMaxBps)}`);
  for (const name of ["thresholdBps", "toleranceBps"]) fill(name, percent(terms[name]));
  fill("maxModels", String(terms.maxModels));
  for (const [name, at] of Object.entries(deadlines)) fill(`deadline-${name}`, time(at));
  fill("termsHash", facts.termsHash);
  fill("phase", contract.words.phases[facts.phase]);
  fill("closes", facts.closes > facts.now ? `until ${time(facts.closes)}` : "");
  fill("now", time(facts.now));
  fill("standing", standing(facts, contract.words.waits[facts.phase]));
  fill("drawOpens", time(facts.drawOpens));
  fill("lot", eth(facts.round.lot));
  fill("cap", `${count(facts.cap)} gwei`);
  fill("what", facts.role === Role.STATION ? "what training it would cost you" : "what it would be worth to you");
  fill("blind", facts.role === Role.STATION ? "the cap" : "0");
  const claimed = facts.of.claimed_accuracy_bps;
  fill("claimed", claimed === null ? "not read yet" : percent(claimed));
  fill("punishes", claimed === null ? "" : percent(Math.max(0, claimed - Number(terms.toleranceBps))));
  fill("final", facts.phase === Phase.COMMIT && facts.final < deadlines.join
    ? "The last block of proposals is not final yet: if the chain changes its mind, a bid that you seal now is for other models. Better wait."
    : "");
  fill("draw-final", facts.phase === Phase.REVEAL && !isDrawFinal(facts)
    ? "The draw is not final yet: if the chain changes its mind, you have shown your bids for another draw, or as its claimant for nothing. Better wait, at most for half of the time that is left."
    : "");
  const { settled } = facts.of;
  const moved = settled && SETTLED.map(([name, words, sign = 1n]) => [words, sign * BigInt(settled[name])])
    .filter(([, wei]) => wei > 0n).map(([words, wei]) => `${words} ${eth(wei)}`);
  fill("settled", moved ? `Settled: ${moved.join(", ") || "the whole lock came back"}.` : "");
  show(part("by-command"), facts.stage !== Stage.NONE);
  show(part("as-owner"), facts.role === Role.OWNER);
  show(part("as-station"), facts.role === Role.STATION);
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
  dropFile();
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

const whose = () => ({ chainId: contract.chainId, contract: contract.address, roundId, account });
const bidFields = () => [...part("bids").querySelectorAll("input")];

// Forget the chosen file, and say why beside the bids.
function dropFile(words = "") {
  sealed = null;
  for (const each of main.querySelectorAll("form [type=file]")) each.value = "";
  for (const each of main.querySelectorAll("[data-file]")) setText(each, "");
  setText(main.querySelector("#do-commit [data-file]"), words);
}

// What is typed is not what the chosen file seals.
function typedAnew() {
  if (sealed) dropFile("You have typed other bids than those of the file: save them, and choose the new file.");
}

// Make the salt, and save it with the bids before anything is sent.
function save() {
  const said = main.querySelector("#do-commit [data-file]");
  const bids = [];
  for (const input of bidFields()) {
    const text = input.value.trim();
    if (!/^\d{1,16}$/.test(text) || BigInt(text) > facts.cap) {
      setText(said, `${input.getAttribute("aria-label")}: a whole number of gwei, ${count(facts.cap)} at most.`);
      input.focus();
      return;
    }
    bids.push(BigInt(text));
  }
  const models = modelsDigest(facts.models);
  const name = saved(`bid-${roundId}`, fileOf({ ...whose(), models, bids, salt: newSalt() }));
  dropFile(`Saved as ${name}. Now choose that file: what is sealed is what you can open again.`);
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
      const found = read(text, whose());
      setText(said, accepted(found));
      sealed = found;
    } catch (error) {
      input.value = "";
      setText(said, error.message);
    }
  }
  await price();
}

// What a file seals, in words. Before the commitment it must fit the round; after it, it must be what was committed.
function accepted(found) {
  const committed = facts.stage >= Stage.COMMITTED;
  if (committed && !isSealedBid(found.commitment, facts.me.sealedBid)) {
    throw new Error("This file is not the bid that you have sealed on chain: choose the right one.");
  }
  const wrong = misfit(found, facts);
  if (wrong && !committed) throw new Error(wrong);
  if (!committed) bidFields().forEach((field, model) => (field.value = String(found.bids[model])));
  const bids = found.bids.map((bid, model) => `${count(bid)} gwei for model ${model}`).join(", ") || "no bid, for there is no model";
  return `It seals ${bids}.${wrong ? " The proposals are others now, for the chain has changed its mind since: opened, these bids count for models of these numbers; unopened, they cost the bond." : ""}`;
}

async function chooseList(input) {
  const [file] = input.files;
  const mine = turn;
  membership = file ? await file.text().catch(() => "") : null;
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
    const means = STEPS[name].means?.(facts, typed(name));
    words = `${means ? `${means} ` : ""}Costs about ${count(gas)} gas, a fee of ${eth(fee)} at the price of now${value ? `, and sends ${eth(value)}` : ""}.`;
    possible = true;
  } catch (error) {
    words = error instanceof Missing ? error.message : `It would be refused: ${wordsOf(error, contract)}.`;
  }
  if (mine !== turn || asked[name] !== mark) return;
  setText(cost, words);
  button.disabled = Boolean(busy) || !possible;
}

async function act(name) {
  if (!facts) return;
  const mine = turn;
  const step = (busy = Symbol(name));
  for (const each of main.querySelectorAll("[type=submit]")) each.disabled = true;
  const title = form(name).querySelector("h3").textContent;
  const say = told(`${title}: confirm it in the wallet.`);
  try {
    const meant = called(name);
    // The chain may have gone on, or back, since this was shown.
    await look();
    if (mine !== turn) throw new Error("The wallet has another account or chain now; nothing was sent.");
    const transaction = called(name);
    if (transaction.data !== meant.data || transaction.value !== meant.value) {
      throw new Error("The round is another than was shown a moment ago; nothing was sent. Read it again.");
    }
    const { gas } = await wallet.cost(transaction);
    if (mine !== turn) throw new Error("The wallet has another account or chain now; nothing was sent.");
    const { words, fee } = await send(wallet, contract, transaction, gas, LOOK / 2, (more) => say(`${title}: ${more}`));
    say(`${title}: ${words}${fee === undefined ? "" : `, for a fee of ${eth(fee)}`}.`);
    if (mine === turn && ["deposit", "withdraw"].includes(name)) form(name).querySelector("form").reset();
  } catch (error) {
    say(`${title}: ${wordsOf(error, contract)}`);
  } finally {
    if (busy === step) busy = null;
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
  part("bids").addEventListener("input", typedAnew);
  part("save-bid").addEventListener("click", save);
  part("list").addEventListener("change", () => chooseList(part("list")));
  part("sign-card").addEventListener("click", signCard);
  part("switch-chain").addEventListener("click", switchChain);
  discover(offer);
  setInterval(async () => {
    if (!reader || looking) return;
    // Not every wallet tells of another account or chain.
    if (!(await wallet.isAt(account, contract.chainId).catch(() => true))) return changed();
    const head = await wallet.block("latest").catch(() => null);
    // The server reads the node for itself, and may be behind.
    if (head && (head.hash !== facts?.head.hash || (facts.of.head ?? 0) < Number(head.number))) await look();
  }, LOOK);
}

begin().catch((error) => problem(`This page cannot go on: ${error.message}`));
