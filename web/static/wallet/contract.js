// What the contract takes and says: its calls, its terms and the membership list as hashes, its errors in words.
import { AbiCoder, Interface, concat, getAddress, keccak256 } from "../ethers.js";

export const Role = { OWNER: 0, STATION: 1 };
const GWEI = 10n ** 9n;

const abi = (types, values) => AbiCoder.defaultAbiCoder().encode(types, values);

// Of a revert, wherever a wallet or a node has put it.
export function revertData(error, depth = 6) {
  if (typeof error === "string") return /^0x([0-9a-f]{8})([0-9a-f]{64})*$/i.test(error) ? error : null;
  if (error === null || typeof error !== "object" || !depth) return null;
  for (const name of ["data", "error", "originalError", "cause", "info", "result"]) {
    const found = revertData(error[name], depth - 1);
    if (found) return found;
  }
  return null;
}

export class Contract {
  // What the server says of it: address, chain, interface, words.
  constructor(document) {
    this.address = getAddress(document.contract);
    this.chainId = BigInt(document.chain_id);
    this.words = document.words;
    this.interface = new Interface(document.abi);
  }

  encode(name, values) {
    return this.interface.encodeFunctionData(name, values);
  }

  decode(name, data) {
    const found = this.interface.decodeFunctionResult(name, data);
    return found.length === 1 ? found[0] : found;
  }

  // A custom error in words, as `fl/market/refusals.py` has them; null where it is none.
  explain(data) {
    const error = data && this.#parsed(data);
    if (!error) return null;
    const words = this.words.errors[error.name];
    const values = error.fragment.inputs.map((input, i) => [input.name, this.#shown(error.name, input.name, error.args[i])]);
    if (!words) return `${error.name}(${values.map((each) => each.join("=")).join(", ")})`;
    const named = Object.fromEntries(values);
    return words.replace(/\{(\w+)\}/g, (whole, name) => named[name] ?? whole);
  }

  // Null also where a node has made it up.
  #parsed(data) {
    try {
      return this.interface.parseError(data);
    } catch {
      return null;
    }
  }

  #shown(error, name, value) {
    if (name === "role" || (error === "WrongRole" && ["actual", "required"].includes(name))) return this.words.roles[value];
    const isStatus = ["WrongStatus", "SettlementNotOpen"].includes(error) && ["actual", "required", "status"].includes(name);
    return isStatus ? this.words.statuses[value] : String(value);
  }

  // `termsHashOf`, of the terms that are shown.
  termsHash(terms) {
    return keccak256(abi(this.interface.getFunction("termsHashOf").inputs, [terms]));
  }
}

// What a member locks, and of it the most that it loses while it tells the truth and does its duties (wei). It follows
// from the terms that are shown, which are those that the contract holds the join against: no node is believed.
export function locksOf(terms, role, points) {
  const isOwner = role === Role.OWNER;
  const worst = isOwner
    ? terms.maxOwnerBid * GWEI * (1n + BigInt(points))
    : terms.maxStationBid * GWEI + terms.contributionStake;
  return { lock: worst + terms.bond, worst };
}

export const doorOf = (root, termsHash) => keccak256(abi(["bytes32", "bytes32"], [root, termsHash]));

// The root that a line of a membership list leads to by its proof.
export function rootBy({ account, role, points, proof }) {
  const leaf = keccak256(keccak256(abi(["address", "uint8", "uint32"], [account, role, points])));
  return proof.reduce((a, b) => keccak256(concat(a < b ? [a, b] : [b, a])), leaf);
}

const ROLES = { owner: Role.OWNER, "base station": Role.STATION };

// A line as files and server have it, checked for its form; what it says is held against the round's door.
export function lineOf(found, account) {
  const { role, points, proof } = found;
  const isProof = Array.isArray(proof) && proof.every((each) => /^0x[0-9a-f]{64}$/.test(each));
  if (!(role in ROLES) || !Number.isInteger(points) || points < 1 || points >= 2 ** 32 || !isProof) {
    throw new Error("The membership list's line of this account is not as it has to be: ask its maker for the list.");
  }
  return { account, role: ROLES[role], points, proof, name: typeof found.name === "string" ? found.name : "" };
}

// An account's line in a membership file; null: it is not there.
export function lineIn(text, account) {
  let members;
  try {
    ({ members } = JSON.parse(text));
  } catch {
    members = null;
  }
  if (!Array.isArray(members)) throw new Error("This is no membership list.");
  const found = members.find((each) => each?.account === account);
  return found ? lineOf(found, account) : null;
}
