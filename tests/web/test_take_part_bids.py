"""The sealed bid as a file, between page and commands; what the page works out, against the vectors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from analysis.devnode.market import Market as Devnode
from fl.market.bids import SealedBid
from fl.market.refusals import WORDS, MarketError, explain
from fl.members.access import Access
from fl.members.bid_file import BidFile
from fl.members.command import by_hand, export_bid, import_bid, texts
from fl.members.configuration import MemberConfiguration
from fl.members.journal import Journal
from fl.members.listing import make_card
from fl.store.keys import EncryptionKey, KeyCard
from tests.support.take_part import (
    Scene,
    connect,
    do,
    save_bid,
    visited,
)
from tests.vectors.make import FOLDER as VECTORS
from web.browser.wallet import key_of

# ── what a client in JavaScript works out ──


def test_modules__vectors__are_worked_out_alike(browser: Browser, scene: Scene) -> None:
    bids, membership, terms = (
        json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8")) for name in ("bids", "membership", "terms")
    )
    with visited(browser, scene) as seen:
        made = seen.page.evaluate(
            """async ([bids, membership, terms]) => {
              const { pack, commitmentOf, fileOf, read } = await import("/static/wallet/bids.js");
              const { Contract, doorOf, rootBy } = await import("/static/wallet/contract.js");
              const contract = new Contract(await (await fetch("/contract.json")).json());
              const { chain_id: chainId, contract: at, round_id: roundId, member: account } = bids;
              const whose = { chainId, contract: at, roundId, account };
              return {
                words: bids.vectors.map(({ bids }) => pack(bids)),
                commitments: bids.vectors.map(({ bids, salt }) => commitmentOf({ ...whose, bids, salt })),
                files: bids.vectors.map(({ bids: row, salt }) =>
                  fileOf({ ...whose, models: bids.models, bids: row, salt })),
                read: bids.vectors.map(({ bids: row, file }) =>
                  read(file, { ...whose, models: bids.models, count: row.length, cap: 2n ** 44n - 1n }).commitment),
                roots: membership.vectors.map(({ entries }) => entries.map(rootBy)),
                hashes: terms.vectors.map(({ terms }) => contract.termsHash(terms)),
                doors: terms.vectors.map((each) => doorOf(each.membership_root, each.terms_hash)),
              };
            }""",
            [bids, membership, terms],
        )
    assert made["words"] == [each["words"] for each in bids["vectors"]]
    assert made["commitments"] == [each["commitment"] for each in bids["vectors"]]
    assert made["files"] == [each["file"] for each in bids["vectors"]]
    assert made["read"] == made["commitments"]
    assert made["roots"] == [[each["root"]] * len(each["entries"]) for each in membership["vectors"]]
    assert made["hashes"] == [each["terms_hash"] for each in terms["vectors"]]
    assert made["doors"] == [each["door"] for each in terms["vectors"]]
    assert len(made["commitments"]) > 3 and len(made["roots"]) > 2


def test_modules__every_error_of_the_contract__has_the_words_of_the_commands(
    browser: Browser, scene: Scene, market: Devnode
) -> None:
    values = {"address": key_of("bob").address, "bytes32": "0x" + "ab" * 32}
    with visited(browser, scene) as seen:
        made: list[tuple[str, list[tuple[str, Any]], str, str | None]] = seen.page.evaluate(
            """async (values) => {
              const { Contract, revertData } = await import("/static/wallet/contract.js");
              const contract = new Contract(await (await fetch("/contract.json")).json());
              const errors = contract.interface.fragments.filter((each) => each.type === "error");
              return errors.map((error) => {
                const given = error.inputs.map(({ type }, i) => values[type] ?? (type === "uint8" ? 1 : 70_001 + i));
                const data = contract.interface.encodeErrorResult(error, given);
                const nested = { code: -32603, message: "Internal error", data: { originalError: { code: 3, data } } };
                const named = error.inputs.map(({ name }, i) => [name, given[i]]);
                const cut = data.slice(0, -64);
                const short = given.length ? contract.explain(cut) : null;
                return [error.name, named, contract.explain(revertData(nested)), short];
              });
            }""",
            values,
        )
    assert {name for name, _, _, _ in made} >= set(WORDS)
    for name, given, words, short in made:
        assert short is None, f"{name} was read from data that is too short"
        assert words == explain(name, dict(given)), name
        assert "{" not in words


# ── files ──


def configured(scene: Scene, name: str, folder: Path) -> MemberConfiguration:
    """A member.yaml whose account is named by its address: its key is in the wallet."""
    seat, listed = scene.seats[name], folder / "membership.json"
    listed.write_bytes(scene.listed.to_bytes())
    document = {
        "nodes": [scene.market.chain.uri],
        "contract": scene.market.address,
        "account": seat.account,
        "role": "owner",
        "store": str(folder / "store"),
        "journal": str(folder / f"{name}.sqlite"),
        "membership": str(listed),
        "confirmations": 1,
        "plan": {"values": {"3": 5}},
    }
    path = folder / "member.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return MemberConfiguration.read(path)


def test_bid_file__of_the_page__goes_through_the_journal_of_the_commands_and_back(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    alice, round_ = scene.seats["alice"], scene.round.joined()
    access = Access(configuration=configured(scene, "alice", tmp_path))
    with pytest.raises(MarketError, match="sealed in its commit phase"):
        export_bid(access, round_.id, tmp_path / "early.json")
    round_.wait_for("join")
    _, said = texts(access, round_.id)
    assert [each for each in said if "has not been sent; it is bid for blindly: 0 gwei" not in each] == []
    assert len(said) == 2
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        saved = save_bid(page, alice.bids, tmp_path)
        document, _ = import_bid(access, round_.id, saved)
        assert document["next"] == "bid"
        exported = tmp_path / "exported.json"
        export_bid(access, round_.id, exported)
        assert BidFile.read(exported) == BidFile.read(saved)
        with pytest.raises(MarketError, match="was named by its address, and no key of it is here"):
            by_hand(access, round_.id, "bid")
        other = replace(BidFile.read(saved), sealed=SealedBid((1, 2)))
        for changed, words in (
            (replace(other, account=scene.seats["bob"].account), "is a bid of"),
            (replace(other, round_id=2), "is a bid in round 2"),
            (replace(other, chain_id=1), "is a bid on chain 1"),
            (replace(other, models=bytes(32)), "for other models"),
            (replace(other, sealed=SealedBid((10_000_001, 2))), "10000000 gwei at most"),
        ):
            (tmp_path / "changed.json").write_bytes(changed.to_bytes())
            with pytest.raises(MarketError, match=words):
                import_bid(access, round_.id, tmp_path / "changed.json")
        page.locator("#commit-file").set_input_files(exported)
        do(page, "commit")
        other.write(tmp_path / "other.json")
        with pytest.raises(MarketError, match="is not the bid that alice has sealed on chain"):
            import_bid(access, round_.id, tmp_path / "other.json")
        assert seen.said == []


def test_bid_file__journal_that_has_noted_another__takes_the_one_on_chain(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    round_, alice = scene.round.joined(), scene.seats["alice"]
    round_.wait_for("join")
    access = Access(configuration=configured(scene, "alice", tmp_path))
    export_bid(access, round_.id, tmp_path / "by-plan.json")
    round_.commit_bid(alice).send()
    with pytest.raises(MarketError, match="does not have the bid that is sealed on chain"):
        export_bid(access, round_.id, tmp_path / "none.json")
    sealed = replace(BidFile.read(tmp_path / "by-plan.json"), sealed=alice.sealed)
    sealed.write(tmp_path / "sealed.json")
    import_bid(access, round_.id, tmp_path / "sealed.json")
    export_bid(access, round_.id, tmp_path / "again.json")
    assert BidFile.read(tmp_path / "again.json") == sealed
    # The chain may have changed its mind about the proposals since: not to open the bid costs the bond.
    (tmp_path / "undone.json").write_bytes(replace(sealed, models=bytes(32)).to_bytes())
    document, _ = import_bid(access, round_.id, tmp_path / "undone.json")
    assert document["bids"] == list(alice.bids)


def test_key_card__key_of_the_command__signed_by_the_wallet(browser: Browser, scene: Scene, tmp_path: Path) -> None:
    account = key_of("alice").address
    access = Access(configuration=configured(scene, "alice", tmp_path))
    document, _ = make_card(access, None, False, None)
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        page.get_by_text("Make a key card").click()
        page.locator("#public-key").fill("04ab")
        page.locator("#sign-card").click()
        expect(page.locator('[data-fill="card"]')).to_contain_text("04 and 128 hexadecimal digits")
        page.locator("#public-key").fill(document["public_key"])
        with page.expect_download() as download:
            page.locator("#sign-card").click()
        card = KeyCard.from_bytes(Path(download.value.path()).read_bytes())
        assert (card.account, card.public_key) == (account, document["public_key"])
        assert seen.said == []
    with Journal(tmp_path / "alice.sqlite", account, scene.market.chain_id, scene.market.address) as journal:
        (secret,) = journal.keys()
    assert EncryptionKey(secret).public_key == card.public_key
