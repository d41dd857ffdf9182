// The round at one block as the account sees it: all that the page decides by.
import { toQuantity } from "../ethers.js";

export const Stage = { NONE: 0, JOINED: 1, COMMITTED: 2, REVEALED: 3, SETTLED: 4 };
export const Phase = { JOIN: 0, COMMIT: 1, DRAW: 2, REVEAL: 3, SELECT: 4, TRAIN: 5, REPORT: 6, VOTE: 7, SETTLE: 8 };
export const Role = { OWNER: 0, STATION: 1 };

const DRAW_DELAY = 60;
const DEEP = 12n;

// What does not change is asked for once.
export class Reader {
  #models = [];
  #terms = null;
  #amounts = {};

  constructor(contract, wallet, roundId, account) {
    Object.assign(this, { contract, wallet, roundId, account });
  }

  // `of` is what the server says of the account; `line` its line of a membership list, or null.
  async facts(of, line) {
    const { contract, wallet, roundId, account } = this;
    const head = await wallet.block("latest");
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
    while (this.#models.length < Number(round.modelCount)) {
      this.#models.push(await view("modelOf", roundId, this.#models.length));
    }
    const [terms, door] = this.#terms;
    const stage = Number(me.stage);
    // Of a member the chain says the role; before it joins, the list does.
    const role = stage === Stage.NONE ? line?.role : Number(me.role);
    const points = stage === Stage.NONE || role === Role.STATION ? line?.points ?? 1 : Number(me.points);
    const { lock = 0n, worst = 0n } = role === undefined ? {} : await this.#amount(view, role, points);
    const deadlines = Object.fromEntries(Object.entries(terms.deadlines.toObject()).map(([name, time]) => [name, Number(time)]));
    return {
      roundId, account, head, final, terms, door, deadlines, round, me, stage, role, points, free, balance, line, of, lock, worst,
      now: head.time,
      phase: Number(round.phase),
      models: this.#models.slice(0, Number(round.modelCount)),
      cap: role === Role.STATION ? terms.maxStationBid : terms.maxOwnerBid,
      drawOpens: deadlines.commit + DRAW_DELAY,
      underway: pending - latest,
    };
  }

  async #amount(view, role, points) {
    const name = `${role} ${points}`;
    this.#amounts[name] ??= await Promise.all([
      view("lockOf", this.roundId, role, points),
      view("worstLossOf", this.roundId, role, points),
    ]).then(([lock, worst]) => ({ lock, worst }));
    return this.#amounts[name];
  }

  // Time up to which nothing is undone: as the node says, or else of a block so deep.
  async #final(head) {
    const safe = await this.wallet.block("safe").catch(() => null);
    return (safe ?? (await this.wallet.block(toQuantity(head.number > DEEP ? head.number - DEEP : 0n)))).time;
  }
}
