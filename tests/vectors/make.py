"""The vectors, made with this project's own client: the same every time, but for what is sealed."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, _hash_eip191_message
from eth_utils import keccak

from analysis.mechanism import draw
from fl.market.bids import MAX_BID, SealedBid, commitment_of, pack_bids
from fl.market.membership import Entry, MembershipTree
from fl.market.membership_file import Listed, MembershipList
from fl.market.merkle import standard_leaf, updates_root
from fl.market.terms import Deadlines, Policy, Role, RoundTerms
from fl.members.aggregation import Aggregation
from fl.members.bid_file import BidFile
from fl.store import canonical
from fl.store.artefacts import ArtefactStore, digest_of
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.mailbox import round_folder
from fl.store.sealed import open_sealed, seal
from fl.store.signed import (
    AggregationStatement,
    DeclarationStatement,
    Domain,
    MembershipStatement,
    OrderStatement,
    Sign,
    Statement,
    UpdateStatement,
    pack,
    sign,
)
from fl.store.texts import OwnersView, StationsView

FOLDER = Path(__file__).parent
CHAIN_ID, ROUND_ID = 31_337, 7
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DOMAIN = Domain(CHAIN_ID, CONTRACT)
ACCOUNTS = [Account.from_key(bytes([number]) * 32) for number in range(1, 6)]
KEYS = [EncryptionKey(bytes([0x40 + number]) * 32) for number in range(3)]
PLACE = {"chain_id": CHAIN_ID, "contract": CONTRACT, "round_id": ROUND_ID}
EDGES = (1, 2, 3, 4, 7, 8, 63, 64)
"""Numbers of models whose packed bids just fit their words, or just do not."""

Vectors = Mapping[str, Any]


def hexed(data: bytes) -> str:
    """Bytes as JSON has them."""
    return "0x" + data.hex()


def _word(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _signing(number: int) -> Sign:
    def signing(message: SignableMessage) -> bytes:
        return bytes(ACCOUNTS[number].sign_message(message).signature)

    return signing


def bids() -> Vectors:
    """Packed bids, their commitments, and the files that they are saved in."""
    member, vectors, proposals = ACCOUNTS[0].address, [], _word("proposals")
    for models in EDGES:
        row = [(MAX_BID, 0, 1, MAX_BID - model)[model % 4] for model in range(models)]
        words, salt = pack_bids(row), _word(f"salt {models}")
        commitment = commitment_of(CHAIN_ID, CONTRACT, ROUND_ID, member, words, salt)
        packed = {"words": [hexed(word.to_bytes(32)) for word in words], "salt": hexed(salt)}
        file = BidFile(CHAIN_ID, CONTRACT, ROUND_ID, member, proposals, SealedBid(tuple(row), salt)).to_bytes().decode()
        vectors.append({"bids": row, **packed, "commitment": hexed(commitment), "file": file})
    return {**PLACE, "member": member, "models": hexed(proposals), "vectors": vectors}


def terms() -> Vectors:
    """Terms, their hash, and the door that they are with a membership list."""
    root, vectors = _word("membership root"), []
    for policy, surplus in ((Policy.EQUAL, (2_000, 6_000)), (Policy.CAPABILITY, (0, 0))):
        deadlines = Deadlines(*(1_800_000_000 + 600 * number for number in range(7)))
        each = RoundTerms(MAX_BID, 50, 200 * 10**9, deadlines, 10**10, policy, surplus, 6_667, 300, 64)
        *numbers, times = each.encode()
        hashes = {"terms_hash": hexed(each.hash), "membership_root": hexed(root), "door": hexed(each.door(root))}
        values = [str(number) for number in numbers]
        vectors.append({"terms": [*values, [str(time) for time in times]], **hashes})  # type: ignore[attr-defined]
    return {"vectors": vectors}


def draws() -> Vectors:
    """What a source draws."""
    vectors = []
    for number, (low, high, weighted, stations) in enumerate(
        ((0, 9_999, False, 3), (2_000, 6_000, False, 5), (5_000, 5_000, False, 64), (0, 0, True, 7))
    ):
        source = int.from_bytes(_word(f"source {number}"))
        c = keccak(encode(["uint256", "uint256"], [source, ROUND_ID]))
        found = draw(int.from_bytes(c), stations, low, high, weighted)
        asked = {"source": hexed(source.to_bytes(32)), "surplus_bps": [low, high], "capability": weighted}
        drawn = {"theta_numerator": str(found.theta_numerator), "claimant": found.claimant}
        vectors.append({"round_id": ROUND_ID, **asked, "stations": stations, "c": hexed(c), **drawn})
    return {"vectors": vectors}


def membership() -> Vectors:
    """Lists with their leaves, roots and proofs."""
    vectors = []
    for size in (1, 2, 3, 5):
        entries = [Entry(each.address, Role(number % 2), 1 + number) for number, each in enumerate(ACCOUNTS[:size])]
        tree = MembershipTree(tuple(entries))
        rows = [
            {
                "account": entry.account,
                "role": int(entry.role),
                "points": entry.points,
                "leaf": hexed(entry.leaf),
                "proof": [hexed(node) for node in tree.proof(entry)],
            }
            for entry in entries
        ]
        vectors.append({"entries": rows, "root": hexed(tree.root)})
    return {"vectors": vectors, "lists": [_list(policy) for policy in Policy]}


def _list(policy: Policy) -> Vectors:
    """A membership list as its maker hands it out, and what the signature in it is of."""
    points = 1 if policy is Policy.EQUAL else 27
    rows = [("Käfer & Co", Role.OWNER, points), ("", Role.BASE_STATION, 1), ("north", Role.BASE_STATION, 1)]
    members = [
        Listed(Entry(each.address, role, points), KeyCard.signed(each.address, key, _signing(number)), name)
        for number, ((name, role, points), each, key) in enumerate(zip(rows, ACCOUNTS, KEYS, strict=False))
    ]
    made = MembershipList.made(DOMAIN, members, ACCOUNTS[3].address, _signing(3))
    lines = canonical.encode({"members": [each.to_json() for each in made.members]})
    return {"list": json.loads(made.to_bytes()), "lines": lines.decode(), "digest": hexed(keccak(lines))}


def updates() -> Vectors:
    """Roots over the updates that a global model is made of; without any it is 0."""
    vectors = []
    for size in range(6):
        pairs = [(each.address, _word(f"update {number}")) for number, each in enumerate(ACCOUNTS[:size])]
        rows = [
            {
                "station": account,
                "digest": hexed(digest),
                "leaf": hexed(standard_leaf(["address", "bytes32"], (account, digest))),
            }
            for account, digest in pairs
        ]
        vectors.append({"updates": rows, "root": hexed(updates_root(pairs))})
    return {"vectors": vectors}


def proposals() -> Vectors:
    """Texts of proposals with their digests."""
    proposer, owners = ACCOUNTS[0].address, []
    for targets in (("3", "5", "8"), ("Käfer", 'a "b" \\ c\n', "犬")):
        view = OwnersView(9_100, targets, _word("salt of owners").hex())
        opening = {"targets_digest": hexed(view.targets_digest), "opening": [9_100, *map(hexed, view.opening[1:])]}
        digest = view.digest(CHAIN_ID, CONTRACT, ROUND_ID, proposer)
        fields = {"claimed_accuracy_bps": 9_100, "targets": list(targets), "salt": view.salt}
        owners.append({"fields": fields, "text": view.to_bytes().decode(), **opening, "digest": hexed(digest)})
    text = StationsView(
        model="small-cnn",
        dataset="digits",
        label_count=3,
        parameters=1_234,
        global_rounds=3,
        local_epochs=1,
        edge_aggregations=2,
        initial_model=digest_of(b"initial model"),
        salt=_word("salt of stations").hex(),
        batch_size=8,
        learning_rate="0.05",
        momentum="0.9",
        seed=2**255 - 19,
        rule="mean",
        tolerate=0,
        weight_limit=4,
        edge_rule="mean",
        edge_tolerate=0,
    )
    named = replace(
        text,
        optimizer="AdamW(betas=(0.9, 0.99))",
        schedule="StepLR(step_size=5)",
        weight_decay="0.01",
        gradient_clip="1",
        loss="cross_entropy(label_smoothing=0.1)",
        proximal="0.001",
        augment=True,
        precision="bfloat16",
        client_bits=8,
        strategy="FedAdam(learning_rate=0.03)",
    )
    stations = [
        {"fields": json.loads(each.to_bytes()), "text": each.to_bytes().decode(), "digest": hexed(each.digest)}
        for each in (text, named)
    ]
    return {**PLACE, "proposer": proposer, "owners": owners, "stations": stations}


def statements() -> Vectors:
    """Signed statements (EIP-712), each as it is stored, with what stands behind it."""
    data = b"an update, a model or an order: whatever bytes"
    digest, recorded = digest_of(data), {ACCOUNTS[1].address: _word("update")}
    made_of = Aggregation.of(42, recorded, {ACCOUNTS[2].address: "it recorded no update"}).to_bytes()
    cases: list[tuple[Statement, bytes]] = [
        (UpdateStatement(ROUND_ID, 2, digest, 1_000), data),
        (DeclarationStatement(ROUND_ID, 1_000), b""),
        (OrderStatement(ROUND_ID, digest), data),
        (AggregationStatement(ROUND_ID, 2, digest_of(made_of)), made_of),
        (MembershipStatement(hexed(_word("root")), digest), data),
    ]
    vectors = []
    for statement, behind in cases:
        signed, message = sign(statement, DOMAIN, _signing(0)), statement.message(DOMAIN)
        stored = json.loads(signed.to_bytes())
        hashes = {"signing_hash": hexed(_hash_eip191_message(message)), "data": hexed(behind)}
        vectors.append({**stored, **hashes, "stored": hexed(pack(signed, behind))})
    signer = {"signer": ACCOUNTS[0].address, "private_key": hexed(ACCOUNTS[0].key)}
    return {"domain": DOMAIN.fields, **signer, "vectors": vectors}


def cards() -> Vectors:
    """Key cards."""
    vectors = []
    for number, key in enumerate(KEYS):
        account = ACCOUNTS[number].address
        card = KeyCard.signed(account, key, _signing(number))
        text = KeyCard.statement(account, key.public_key)
        secrets = {"secret": hexed(key.secret), "private_key": hexed(ACCOUNTS[number].key)}
        vectors.append({**json.loads(card.to_bytes()), **secrets, "text": text, "card": card.to_bytes().decode()})
    return {"vectors": vectors}


def places() -> Vectors:
    """Names of files in the store."""
    account, digest = ACCOUNTS[0].address, digest_of(b"")
    folder = round_folder(account, CONTRACT, ROUND_ID)
    artefact = ArtefactStore(Files("memory://vectors"), folder).name(digest)
    rounds = {name: f"{folder}/{name}" for name in ("order", "declaration", "aggregation-2")}
    return {**PLACE, "account": account, "digest": digest, "artefact": artefact, "rounds": rounds}


def sealed() -> Vectors:
    """Data sealed to three readers; made anew it is other bytes."""
    vectors = []
    cards = [KeyCard.signed(ACCOUNTS[number].address, key, _signing(number)) for number, key in enumerate(KEYS)]
    for readers, size in ((1, 0), (3, 11), (2, 4_200)):
        data = (b"sealed text " * 400)[:size]
        blob = seal(data, cards[:readers])
        assert open_sealed(blob, KEYS[:readers]) == data
        readable = [hexed(key.secret) for key in KEYS[:readers]]
        vectors.append({"secrets": readable, "data": hexed(data), "sealed": hexed(blob)})
    return {"vectors": vectors}


MAKERS: Mapping[str, Callable[[], Vectors]] = {
    each.__name__: each
    for each in (bids, terms, draws, membership, updates, proposals, statements, cards, places, sealed)
}
RANDOM = "sealed"
"""Those that are other bytes each time."""


def text_of(vectors: Vectors) -> str:
    """As the file has them."""
    return json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"
