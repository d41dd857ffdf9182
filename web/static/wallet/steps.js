// What an account can do in a round, and the call that does it. Pure: the facts, what was typed and the sealed bid decide.
import { getAddress, isAddress, parseEther } from "../ethers.js";
import { isSealedBid, misfit, pack } from "./bids.js";
import { Role } from "./contract.js";
import { Phase, Stage } from "./facts.js";
import { eth, percent } from "./words.js";

// Thrown where something is still missing before a call can be made of what was typed.
export class Missing extends Error {}

const isMember = ({ stage }) => stage !== Stage.NONE && stage !== Stage.SETTLED;
const isOut = (facts) => facts.stage === Stage.SETTLED || Boolean(facts.of.settled);
export const isWinner = ({ me, round, phase }) => phase >= Phase.TRAIN && me.proposer && me.model === round.selected;

export const joinValue = ({ lock, free }) => (lock > free ? lock - free : 0n);

function amountOf(text, what) {
  try {
    const wei = parseEther(text.trim());
    if (wei > 0n) return wei;
  } catch { /* said below */ }
  throw new Missing(`Type ${what}, in ETH, as 0.25.`);
}

function admission(facts) {
  if (!facts.line) throw new Missing("Your line of the membership list is needed: choose the list above.");
  return [facts.roundId, facts.termsHash, facts.line.role, facts.line.points, facts.line.proof];
}

function opened(facts, sealed) {
  if (!sealed) throw new Missing("Choose the file of your sealed bid.");
  if (!isSealedBid(sealed.commitment, facts.me.sealedBid)) {
    throw new Missing("This file is not the bid that you have sealed on chain: choose the right one.");
  }
  return sealed;
}

function accuracyOf(text) {
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(text.trim()) || Number(text) > 100) {
    throw new Missing("Type the accuracy that you measured, in percent, as 91.25.");
  }
  return Math.round(Number(text) * 100);
}

function payoutOf({ free, account }, { amount, to }) {
  const wei = amount.trim() ? amountOf(amount, "how much you take out") : free;
  if (to.trim() && !isAddress(to.trim())) throw new Missing("The receiver is no address, or mistyped.");
  return [wei, to.trim() ? getAddress(to.trim()) : account];
}

// In the order in which they come. `when` says whether an action is shown, `call` is [name, values, wei], `means` what
// was typed comes to.
export const STEPS = {
  join: {
    when: (facts) => facts.phase === Phase.JOIN && facts.stage === Stage.NONE && !isOut(facts),
    call: (facts) => ["join", admission(facts), joinValue(facts)],
  },
  commit: {
    when: (facts) => facts.phase === Phase.COMMIT && facts.stage <= Stage.JOINED && !isOut(facts),
    call(facts, typed, sealed) {
      const admitted = facts.stage === Stage.JOINED ? null : admission(facts);
      if (!sealed) throw new Missing("Choose the saved file of your sealed bid.");
      const wrong = misfit(sealed, facts);
      if (wrong) throw new Missing(wrong);
      if (!admitted) return ["commitBid", [facts.roundId, sealed.commitment]];
      return ["joinAndCommit", [...admitted, sealed.commitment], joinValue(facts)];
    },
    means({ stage, lock }) {
      return stage === Stage.JOINED ? "" : `It joins as well, on the terms above, and locks ${eth(lock)} until you are settled.`;
    },
  },
  draw: {
    when: (facts) => facts.phase === Phase.DRAW,
    call(facts) {
      if (facts.now < facts.drawOpens) throw new Missing("The draw opens a minute after the last bid could be sealed.");
      return ["drawClaimant", [facts.roundId]];
    },
  },
  reveal: {
    when: (facts) => facts.phase === Phase.REVEAL && facts.stage === Stage.COMMITTED && !facts.me.claimant,
    call(facts, typed, sealed) {
      const { bids, salt } = opened(facts, sealed);
      return ["revealBid", [facts.roundId, pack(bids), salt]];
    },
  },
  select: {
    when: (facts) => facts.phase === Phase.SELECT,
    call: (facts) => ["selectModel", [facts.roundId]],
  },
  vote: {
    when: (facts) =>
      facts.phase === Phase.VOTE && facts.role === Role.OWNER && isMember(facts) && facts.stage >= Stage.COMMITTED &&
      !facts.me.voted && !isWinner(facts),
    call(facts, { accuracy, uphold }) {
      const bps = accuracyOf(accuracy);
      if (!uphold) throw new Missing("Say whether you find the listed contributions right.");
      return ["vote", [facts.roundId, bps, uphold === "yes"]];
    },
    means({ of, terms }, { accuracy }) {
      if (of.claimed_accuracy_bps === null) return "";
      const [bps, tolerance] = [accuracyOf(accuracy), Number(terms.toleranceBps)];
      const verdict = bps + tolerance < of.claimed_accuracy_bps ? "for the winner to lose its bond" : "for the winner to keep its bond";
      return `With ${percent(bps)} your vote is ${verdict}.`;
    },
  },
  abort: {
    when: (facts) => facts.phase === Phase.REPORT && facts.now >= facts.deadlines.report,
    call: (facts) => ["abortTraining", [facts.roundId]],
  },
  settle: {
    // Of a proposer that stayed away it is known with the draw whether it owes its bond.
    when: (facts) =>
      isMember(facts) &&
      (facts.phase === Phase.SETTLE ||
        (facts.stage === Stage.JOINED && facts.now >= facts.deadlines.commit && (!facts.me.proposer || facts.phase > Phase.DRAW))),
    call(facts) {
      if (facts.stage === Stage.REVEALED && !facts.of.words) throw new Missing("The server has not read yet what you have opened.");
      return ["settle", [facts.roundId, facts.account, facts.of.words ?? pack(Array(facts.models.length).fill(0n))]];
    },
  },
  claim: {
    when: (facts) => facts.me.claimant && facts.round.lot > 0n,
    call: (facts) => ["claimLot", [facts.roundId]],
  },
  deposit: {
    when: () => true,
    call: (facts, { amount }) => ["deposit", [], amountOf(amount, "how much you put in")],
  },
  withdraw: {
    when: (facts) => facts.free > 0n,
    call: (facts, typed) => ["withdraw", payoutOf(facts, typed)],
    means(facts, typed) {
      const [wei, to] = payoutOf(facts, typed);
      return `Pays ${eth(wei)} to ${to === facts.account ? "your own account" : to}.`;
    },
  },
};

// Where an account stands, in words, beside the steps that are shown.
export function standing(facts, waits) {
  const { phase, stage, me, role, of } = facts;
  const words = [];
  if (of.settled) words.push("You are settled in this round.");
  else if (stage === Stage.NONE) {
    words.push(phase <= Phase.COMMIT ? "You have not joined this round." : "You have not joined this round, and it is too late to.");
  } else if (me.claimant && phase > Phase.DRAW && phase < Phase.SETTLE) {
    words.push("You are the claimant: your bids stay sealed, without a loss, and the taxes that come in are your lot.");
  } else if (stage === Stage.JOINED && phase > Phase.COMMIT) words.push("You joined and sealed no bid.");
  else if (stage === Stage.JOINED && phase === Phase.JOIN) words.push("You have joined; bids are sealed in the next phase.");
  else if (stage === Stage.COMMITTED && phase < Phase.REVEAL) words.push("Your bid is sealed. Keep its file for the reveal.");
  else if (stage === Stage.REVEALED && phase < Phase.TRAIN) words.push("Your bids are open.");
  if (isMember(facts) && phase === Phase.TRAIN) {
    if (role === Role.STATION && (stage === Stage.REVEALED || me.claimant)) {
      words.push("Your training is not done here, and staying away costs the bond: leave the command below running.");
    } else if (isWinner(facts)) words.push("You are the winner: training and report are not done here, leave the command below running.");
  }
  if (!Object.entries(STEPS).some(([name, step]) => !["deposit", "withdraw"].includes(name) && step.when(facts))) {
    words.push(`Nothing is to be done here now: ${waits}.`);
  }
  return words.join(" ");
}
