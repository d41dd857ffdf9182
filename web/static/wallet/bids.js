// Bids: packed as the contract takes them, sealed by a salt, and saved as the file that the commands read and write.
import { AbiCoder, concat, getAddress, hexlify, keccak256, toBeHex } from "../ethers.js";

const LANES = 4;
const FORMAT = 1;
const MOST_MODELS = 64;
const MOST_BID = 2 ** 44 - 1;
const FIELDS = ["account", "bids", "chain_id", "contract", "format", "models", "round_id", "salt"];

// One bid a model (gwei, BigInt) in words.
export function pack(bids) {
  const words = Array(Math.floor(bids.length / LANES) + 1).fill(0n);
  bids.forEach((bid, model) => {
    words[Math.floor((model + 1) / LANES)] |= BigInt(bid) << BigInt(64 * ((model + 1) % LANES));
  });
  return words.map((word) => toBeHex(word, 32));
}

export function commitmentOf({ chainId, contract, roundId, account, bids, salt }) {
  const types = ["uint256", "address", "uint256", "address", "uint256[]", "bytes32"];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, [chainId, contract, roundId, account, pack(bids), salt]));
}

// Of the proposals in their order: bids are for these and no others.
export const modelsDigest = (models) => keccak256(concat(models.flatMap((each) => [each.ownersDigest, each.stationsDigest])));

export const newSalt = () => hexlify(crypto.getRandomValues(new Uint8Array(32)));

export function fileOf({ chainId, contract, roundId, account, models, bids, salt }) {
  const file = {
    format: FORMAT,
    chain_id: Number(chainId),
    contract,
    round_id: Number(roundId),
    account,
    models,
    bids: bids.map(Number),
    salt: salt.slice(2),
  };
  return JSON.stringify(file, null, 1) + "\n";
}

// A file that seals bids of this account in this round, with its commitment. Nothing of another's is told.
export function read(text, { chainId, contract, roundId, account }) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    file = null;
  }
  if (typeof file !== "object" || file === null || Object.keys(file).sort().join() !== FIELDS.join()) {
    throw new Error("This file is no sealed bid.");
  }
  if (file.format !== FORMAT) throw new Error(`This sealed bid has another format than ${FORMAT}, which is read here.`);
  const same = (found, wanted) => typeof found === "string" && found.toLowerCase() === wanted.toLowerCase();
  if (!same(file.account, account)) throw new Error("This sealed bid is of another account.");
  if (file.chain_id !== Number(chainId) || !same(file.contract, contract) || file.round_id !== Number(roundId)) {
    throw new Error("This sealed bid is for another round, contract or chain.");
  }
  const isBid = (bid) => Number.isSafeInteger(bid) && bid >= 0 && bid <= MOST_BID;
  const isHash = (found) => typeof found === "string" && /^0x[0-9a-f]{64}$/.test(found);
  if (!Array.isArray(file.bids) || file.bids.length > MOST_MODELS || !file.bids.every(isBid) || !isHash(file.models) || !isHash(`0x${file.salt}`)) {
    throw new Error("This sealed bid is damaged.");
  }
  const sealed = { bids: file.bids.map(BigInt), salt: `0x${file.salt}`, models: file.models };
  const whose = { chainId, contract: getAddress(contract), roundId, account };
  return { ...sealed, commitment: commitmentOf({ ...whose, ...sealed }) };
}

// Why a bid that is not committed yet must not be, as things stand; null: it can be opened later.
export function misfit(sealed, { models, cap }) {
  if (sealed.models !== modelsDigest(models)) return "This sealed bid is for other models, or for these in another order.";
  if (sealed.bids.length !== models.length || sealed.bids.some((bid) => bid > cap)) {
    return "The bids in this file are not one for each model within the round's cap.";
  }
  return null;
}

// Whether this is the commitment of which the chain keeps the top 182 bits.
export const isSealedBid = (commitment, sealedBid) => BigInt(commitment) >> 74n === BigInt(sealedBid);
