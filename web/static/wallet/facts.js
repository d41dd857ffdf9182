// The round at one block as the account sees it: all that the page decides by.
import { toQuantity } from "../ethers.js";
import { Role, locksOf } from "./contract.js";

export const Stage = { NONE: 0, JOINED: 1, COMMITTED: 2, REVEALED: 3, SETTLED: 4 };
export const Phase = { JOIN: 0, COMMIT: 1, DRAW: 2, REVEAL: 3, SELECT: 4, TRAIN: 5, REPORT: 6, VOTE: 7, SETTLE: 8 };

const DRAW_DELAY = 60;
const DEEP = 12n;

// When a phase ends by the clock; undefined: it does not.
const closesOf = (phase, { join, commit, reveal, select, train, report, vote }) =>
  [join, commit, Math.floor((commit + reveal) / 2), reveal, select, train, report, vote][phase];

// What does not change is asked for once, and again where the chain has undone a block.
export class Reader {
  #models = [];
  #terms = null;
  #seen = null;

  constructor(contract, wallet, roundId, account) {
    Object.assign(this, { contract, wallet, roundId, account });
  }

  // `of` is what the server says of the account; `line` its line of a membership list, or null.
  async facts(of, line) {
    const { contract, wallet, roundId, account } = this;
    const head = await wallet.block("latest");
    if (await this.#undone(head)) [this.#models, this.#terms] = [[], null];
    this.#seen = head;
    const at = toQuantity(head.number);
    const view = (name, ...values) => wallet.view(contract, at, name, ...values);
    const [round, me, free, balance, final, pending, latest] = await Promise.all([
      view("roundOf", roundId),
      view("memberOf", roundId, account),
      view("freeBalance", account),
      wallet.request("eth_getBalance", account, at).then(BigInt),
      this.#final(head),
      wallet.nonce(account, "pending"),
      wallet.nonce(account, "latest"),
    ]);
    this.#terms ??= await view("termsOf", roundId);
    const { length } = this.#models;
    const further = Array.from({ length: Math.max(0, Number(round.modelCount) - length) }, (_, i) => view("modelOf", roundId, length + i));
    this.#models = [...this.#models, ...(await Promise.all(further))];
    const [terms, door] = this.#terms;
    const stage = Number(me.stage);
    // Of a member the chain says the role; before it joins, the list does.
    const role = stage === Stage.NONE ? line?.role : Number(me.role);
    const points = stage === Stage.NONE || role === Role.STATION ? line?.points ?? 1 : Number(me.points);
    const { lock, worst } = role === undefined ? { lock: 0n, worst: 0n } : locksOf(terms, role, points);
    const deadlines = Object.fromEntries(Object.entries(terms.deadlines.toObject()).map(([name, time]) => [name, Number(time)]));
    return {
      roundId, account, head, final, terms, door, deadlines, round, me, stage, role, points, free, balance, line, of, lock, worst,
      now: head.time,
      phase: Number(round.phase),
      models: this.#models.slice(0, Number(round.modelCount)),
      cap: role === Role.STATION ? terms.maxStationBid : terms.maxOwnerBid,
      drawOpens: deadlines.commit + DRAW_DELAY,
      closes: closesOf(Number(round.phase), deadlines),
      underway: pending - latest,
    };
  }

  // Whether the block of the look before is no more of the chain.
  async #undone(head) {
    if (this.#seen === null) return false;
    const there = this.#seen.number === head.number ? head : await this.wallet.block(toQuantity(this.#seen.number));
    return there?.hash !== this.#seen.hash;
  }

  // Time up to which nothing is undone: as the node says, or else of a block so deep.
  async #final(head) {
    const safe = await this.wallet.block("safe").catch(() => null);
    return (safe ?? (await this.wallet.block(toQuantity(head.number > DEEP ? head.number - DEEP : 0n)))).time;
  }
}
