// Works every vector out again with nothing of this project: `node replay.mjs [FOLDER]`. Exits with 1 if one differs.
import { createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AbiCoder, SigningKey, TypedDataEncoder, Wallet, concat, getBytes, hexlify, keccak256, toBeHex, toUtf8Bytes,
  verifyMessage, verifyTypedData,
} from "ethers";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? here;
const read = (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
const abi = (types, values) => AbiCoder.defaultAbiCoder().encode(types, values);
const sha256 = (data) => "0x" + createHash("sha256").update(getBytes(data)).digest("hex");
const text = (string) => toUtf8Bytes(string);

let compared = 0;
let file;
const wrong = [];
function same(what, found, expected) {
  compared += 1;
  if (JSON.stringify(found) !== JSON.stringify(expected)) wrong.push(`${file}: ${what} is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
}

// Canonical JSON: keys sorted, no spaces. JSON.stringify escapes just what RFC 8785 does.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

// OpenZeppelin's standard tree: a complete binary heap, leaves sorted and at its end in reverse.
const leaf = (types, values) => keccak256(keccak256(abi(types, values)));
const node = (a, b) => keccak256(concat(a < b ? [a, b] : [b, a]));
function rootOf(leaves) {
  if (leaves.length === 0) return "0x" + "00".repeat(32);
  const heap = [...Array(leaves.length - 1), ...[...leaves].sort().reverse()];
  for (let i = leaves.length - 2; i >= 0; i--) heap[i] = node(heap[2 * i + 1], heap[2 * i + 2]);
  return heap[0];
}

const typed = (names) => names.map((name) => ({ name, type: ["digest", "root"].includes(name) ? "bytes32" : "uint256" }));
const cardText = ({ account, public_key }) => `HCFL: texts for ${account} are encrypted to ${public_key}`;

const replays = {
  bids({ chain_id, contract, round_id, member, models, vectors }) {
    for (const { bids, words, salt, commitment, file } of vectors) {
      const packed = Array(Math.floor(bids.length / 4) + 1).fill(0n);
      bids.forEach((bid, model) => { packed[Math.floor((model + 1) / 4)] |= BigInt(bid) << BigInt(64 * ((model + 1) % 4)); });
      same(`words of ${bids.length} bids`, packed.map((word) => toBeHex(word, 32)), words);
      const types = ["uint256", "address", "uint256", "address", "uint256[]", "bytes32"];
      same(`commitment of ${bids.length} bids`, keccak256(abi(types, [chain_id, contract, round_id, member, packed, salt])), commitment);
      const saved = { format: 1, chain_id, contract, round_id, account: member, models, bids, salt: salt.slice(2) };
      same(`file of ${bids.length} bids`, JSON.parse(file), saved);
    }
  },
  terms({ vectors }) {
    const types = ["uint64", "uint64", "uint256", "uint256", "uint8", "uint16", "uint16", "uint16", "uint16", "uint8", `(${Array(7).fill("uint40").join(",")})`];
    for (const each of vectors) {
      same("terms hash", keccak256(abi(types, each.terms)), each.terms_hash);
      same("door", keccak256(abi(["bytes32", "bytes32"], [each.membership_root, each.terms_hash])), each.door);
    }
  },
  draws({ vectors }) {
    for (const each of vectors) {
      const c = BigInt(keccak256(abi(["uint256", "uint256"], [each.source, each.round_id])));
      const [low, high] = each.surplus_bps.map(BigInt);
      const u = BigInt.asUintN(64, c);
      const theta = each.capability ? 0n : ((low << 64n) + (high - low) * u) / 10000n;
      same("c", toBeHex(c, 32), each.c);
      same("theta", theta.toString(), each.theta_numerator);
      same("claimant", Number(BigInt.asUintN(96, c >> 64n) % BigInt(each.stations)), each.claimant);
    }
  },
  membership({ vectors, lists }) {
    for (const { entries, root } of vectors) {
      const leaves = entries.map((each) => leaf(["address", "uint8", "uint32"], [each.account, each.role, each.points]));
      same("leaves", leaves, entries.map((each) => each.leaf));
      same("root", rootOf(leaves), root);
      entries.forEach((each, i) => same("root by proof", each.proof.reduce(node, leaves[i]), root));
    }
    for (const { list, lines, digest } of lists) {
      const roles = { owner: 0, "base station": 1 };
      const leaves = list.members.map((each) => leaf(["address", "uint8", "uint32"], [each.account, roles[each.role], each.points]));
      same("root of a list", rootOf(leaves), list.root);
      list.members.forEach((each, i) => {
        same("root by the proof in a list", each.proof.reduce(node, leaves[i]), list.root);
        same("signer of a card in a list", verifyMessage(cardText(each), "0x" + each.card_signature), each.account);
      });
      same("lines", canonical({ members: list.members.map(({ proof, ...line }) => line) }), lines);
      same("digest of the lines", keccak256(text(lines)), digest);
      const domain = { name: "HCFL", version: "2", chainId: list.chain_id, verifyingContract: list.contract };
      const message = { root: list.root, digest };
      same("maker", verifyTypedData(domain, { Membership: typed(["root", "digest"]) }, message, "0x" + list.signature), list.maker);
    }
  },
  updates({ vectors }) {
    for (const { updates, root } of vectors) {
      const leaves = updates.map((each) => leaf(["address", "bytes32"], [each.station, each.digest]));
      same("leaves", leaves, updates.map((each) => each.leaf));
      same(`root of ${updates.length} updates`, rootOf(leaves), root);
    }
  },
  proposals({ chain_id, contract, round_id, proposer, owners, stations }) {
    for (const each of owners) {
      const { targets, claimed_accuracy_bps, salt } = each.fields;
      same("text for owners", canonical(each.fields), each.text);
      const targetsDigest = keccak256(text(canonical({ targets })));
      const opening = [claimed_accuracy_bps, targetsDigest, "0x" + salt];
      same("opening", opening, each.opening);
      same("targets", targetsDigest, each.targets_digest);
      const types = ["uint256", "address", "uint256", "address", "uint16", "bytes32", "bytes32"];
      same("owners' digest", keccak256(abi(types, [chain_id, contract, round_id, proposer, ...opening])), each.digest);
    }
    for (const each of stations) {
      same("text for base stations", canonical(each.fields), each.text);
      same("stations' digest", keccak256(text(each.text)), each.digest);
    }
  },
  async statements({ domain, signer, private_key, vectors }) {
    const fields = {
      Update: ["roundId", "globalRound", "digest", "samples"],
      Declaration: ["roundId", "samples"],
      Order: ["roundId", "digest"],
      Aggregation: ["roundId", "globalRound", "digest"],
      Membership: ["root", "digest"],
    };
    for (const { type, message, signature, signing_hash, data, stored } of vectors) {
      const types = { [type]: typed(fields[type]) };
      same(`${type}: hash`, TypedDataEncoder.hash(domain, types, message), signing_hash);
      same(`${type}: signer`, verifyTypedData(domain, types, message, "0x" + signature), signer);
      same(`${type}: signature`, await new Wallet(private_key).signTypedData(domain, types, message), "0x" + signature);
      const statement = text(canonical({ type, message, signature }));
      same(`${type}: stored`, concat([toBeHex(statement.length, 4), statement, data]), stored);
      if (message.digest && type !== "Membership") same(`${type}: digest`, sha256(data), message.digest);
    }
  },
  async cards({ vectors }) {
    for (const { account, public_key, signature, secret, private_key, text: said, card } of vectors) {
      same("public key", SigningKey.computePublicKey(secret, false), "0x" + public_key);
      same("text", cardText({ account, public_key }), said);
      same("signer", verifyMessage(said, "0x" + signature), account);
      same("signature", await new Wallet(private_key).signMessage(said), "0x" + signature);
      same("card", canonical({ account, public_key, signature }), card);
    }
  },
  places({ contract, round_id, account, digest, artefact, rounds }) {
    same("digest", sha256("0x"), digest);
    const folder = `${account}/rounds/${contract}/${round_id}`;
    same("artefact", `${folder}/artefacts/${digest.slice(2)}`, artefact);
    for (const name in rounds) same(name, `${folder}/${name}`, rounds[name]);
  },
  sealed({ vectors }) {
    for (const { secrets, data, sealed } of vectors) {
      for (const secret of secrets) same(`sealed ${data.length / 2 - 1} bytes`, open(getBytes(sealed), secret), data);
      let opened = true;
      try { open(getBytes(sealed), "0x" + "77".repeat(32)); } catch { opened = false; }
      same("opened by another key", opened, false);
    }
  },
};

function gcm(key, nonce, tag, body, aad) {
  const cipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  if (aad) cipher.setAAD(aad);
  cipher.setAuthTag(tag);
  return Buffer.concat([cipher.update(body), cipher.final()]);
}

// ECIES: HKDF-SHA256 of ephemeral point and shared point, both uncompressed; nonce of 16 bytes, tag, ciphertext.
function unwrap(wrap, secret) {
  const ephemeral = hexlify(wrap.slice(0, 65));
  const shared = new SigningKey(secret).computeSharedSecret(ephemeral);
  const key = Buffer.from(hkdfSync("sha256", getBytes(concat([ephemeral, shared])), Buffer.alloc(0), Buffer.alloc(0), 32));
  return gcm(key, wrap.slice(65, 81), wrap.slice(81, 97), wrap.slice(97));
}

function padded(size) {
  const least = Math.max(size, 4096);
  const bits = Math.floor(Math.log2(least));
  const step = 2 ** (bits - (Math.floor(Math.log2(bits)) + 1));
  return Math.ceil(least / step) * step;
}

function open(blob, secret) {
  if (blob[0] !== 1) throw new Error("another version");
  const wraps = 2 + 2 ** blob[1] * 129;
  let key;
  for (let at = 2; at < wraps && !key; at += 129) {
    try { key = unwrap(blob.slice(at, at + 129), secret); } catch { /* another reader's */ }
  }
  if (!key) throw new Error("sealed to somebody else");
  const head = blob.slice(0, wraps + 12);
  const body = gcm(key, blob.slice(wraps, wraps + 12), blob.slice(wraps + 12, wraps + 28), blob.slice(wraps + 28), head);
  const size = Number(body.readBigUInt64BE(0));
  if (padded(8 + size) !== body.length) throw new Error("a wrong size");
  return hexlify(body.subarray(8, 8 + size));
}

for (const [name, replay] of Object.entries(replays)) {
  file = name;
  if (!existsSync(join(folder, `${name}.json`))) wrong.push(`${name}.json is missing`);
  else {
    try {
      await replay(read(name));
    } catch (error) {
      wrong.push(`${name}: ${error.message}`);
    }
  }
}
for (const line of wrong) console.error(line);
console.log(`${compared} compared, ${wrong.length} wrong`);
process.exit(wrong.length ? 1 : 0);
