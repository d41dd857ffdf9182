"""The page to take part where something goes wrong: the wallet, the node, the chain, or the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from fl.market.terms import GWEI, Stage
from fl.members.bid_file import BidFile
from tests.support.take_part import (
    ALICE,
    MALLORY,
    NORTH,
    SECRET_BIDS,
    Scene,
    all_of,
    click,
    connect,
    do,
    save_bid,
    visited,
    waiting,
)
from web.browser.wallet import Refused, Wallet


def test_sign__declined__is_said_and_nothing_is_sent(browser: Browser, scene: Scene) -> None:
    scene.wallet.rejects = True
    with visited(browser, scene) as seen:
        page = seen.page
        page.get_by_role("button", name="Connect Test wallet").click()
        expect(page.locator("#connected")).to_be_hidden()
        scene.wallet.rejects = False
        connect(page)
        scene.wallet.rejects = True
        said = do(page, "join", end="declined")
        assert said == "Join: You declined in the wallet; nothing was sent."
        assert scene.wallet.sent == []
        scene.wallet.rejects = False
        do(page, "join")
        assert scene.stage("alice") is Stage.JOINED
        assert seen.said == []


def test_account__another_is_chosen__no_secret_of_the_one_before_is_left(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    alice = scene.seats["alice"]
    scene.round.joined()
    scene.round.wait_for("join")
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        path = save_bid(page, alice.bids, tmp_path)
        page.locator("#commit-file").set_input_files(path)
        expect(page.locator("#do-commit [type=submit]")).to_be_enabled()
        assert SECRET_BIDS[0] in all_of(page)
        for number, name in ((NORTH, "north"), (MALLORY, None)):
            scene.wallet.choose(number, page)
            expect(page.locator('[data-fill="account"]').first).to_have_text(scene.wallet.account.address)
            if name:
                expect(page.locator('[data-fill="listed"]')).to_contain_text(f"On the list as {name}")
                page.locator("#commit-file").set_input_files(path)
                expect(page.locator("#do-commit [data-file]")).to_have_text("This sealed bid is of another account.")
            salt = BidFile.read(path).sealed.salt.hex()
            assert [secret for secret in (*SECRET_BIDS, salt) if secret in all_of(page)] == []
            expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        scene.wallet.choose(ALICE, page)
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as alice")
        assert SECRET_BIDS[0] not in all_of(page), "it comes back from the file alone"
        assert seen.said == []


def test_account__another_is_chosen_while_one_waits__each_has_its_own(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen, waiting(scene) as mine:
        page = seen.page
        connect(page)
        click(page, "join")
        scene.wallet.choose(NORTH, page)
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as north")
        expect(page.locator("#do-join [type=submit]")).to_be_enabled()
        mine()
        expect(page.locator("#told li").last).to_contain_text("Done in", timeout=20_000)
        expect(page.locator('[data-fill="standing"]')).to_contain_text("You have not joined this round.")
        assert scene.stage("alice") is Stage.JOINED
        assert scene.stage("north") is Stage.NONE


def test_chain__another__nothing_is_offered_until_the_wallet_is_back(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        scene.wallet.go_to(1, page)
        expect(page.locator("#wrong-chain")).to_contain_text("on chain 1, and this round is on chain 31337.")
        expect(page.locator("#place")).to_be_hidden()
        scene.wallet.rejects = True
        page.locator("#switch-chain").click()
        expect(page.locator("#problem")).to_have_text("You declined in the wallet; nothing was sent.")
        scene.wallet.rejects = False
        page.locator("#switch-chain").click()
        expect(page.locator("#place")).to_be_visible()
        expect(page.locator("#wrong-chain")).to_be_hidden()
        do(page, "join")
        assert seen.said == []


def test_tab__lost_and_loaded_again__goes_on_with_the_file_and_sees_what_is_underway(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    scene.round.joined()
    scene.round.wait_for("join")
    with visited(browser, scene) as seen, waiting(scene) as mine:
        page = seen.page
        connect(page)
        path = save_bid(page, scene.seats["alice"].bids, tmp_path)
        page.reload()
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as alice")
        page.locator("#commit-file").set_input_files(path)
        click(page, "commit")
        page.reload()
        expect(page.locator('[data-fill="underway"]')).to_contain_text("transactions are on their way")
        mine()
        expect(page.locator('[data-fill="standing"]')).to_contain_text("Your bid is sealed.", timeout=20_000)
        expect(page.locator('[data-fill="underway"]')).to_be_empty()
        assert scene.stage("alice") is Stage.COMMITTED
        assert seen.said == []


def test_tab__a_second_one__what_is_sealed_there_counts_here(browser: Browser, scene: Scene, tmp_path: Path) -> None:
    round_, alice = scene.round.joined(), scene.seats["alice"]
    round_.wait_for("join")
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        kept = save_bid(page, alice.bids, tmp_path)
        page.locator("#commit-file").set_input_files(kept)
        other = page.context.new_page()
        other.goto(page.url)
        connect(other)
        (tmp_path / "other").mkdir()
        path = save_bid(other, (1, 2), tmp_path / "other")
        other.locator("#commit-file").set_input_files(path)
        do(other, "commit")
        expect(page.locator('[data-fill="standing"]')).to_contain_text("Your bid is sealed.", timeout=20_000)
        expect(page.locator("#do-commit")).to_be_hidden()
        round_.committed(but={alice}).drawn()
        page.locator("#reveal-file").set_input_files(kept)
        expect(page.locator("#do-reveal [data-file]")).to_contain_text("not the bid that you have sealed on chain")
        page.locator("#reveal-file").set_input_files(path)
        do(page, "reveal")
        assert scene.stage("alice") is Stage.REVEALED
        assert seen.said == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("faster", "Replaced in the wallet by the same with another fee. Done in"),
        ("cancelled", "Cancelled in the wallet by 0x"),
        ("another", "Replaced in the wallet by another transaction, 0x"),
    ],
)
def test_transaction__replaced_in_the_wallet__is_followed(browser: Browser, scene: Scene, how: str, words: str) -> None:
    changes: dict[str, Any] = {
        "faster": {},
        "cancelled": {"to": scene.seats["alice"].account, "data": "0x", "value": 0},
        "another": {"data": scene.market.codec.call("deposit", []), "value": 5},
    }[how]
    with visited(browser, scene) as seen, waiting(scene) as mine:
        connect(seen.page)
        click(seen.page, "join")
        scene.wallet.replace(scene.wallet.sent[0], **changes)
        mine()
        expect(seen.page.locator("#told li").last).to_contain_text(words, timeout=20_000)
        assert scene.stage("alice") is (Stage.JOINED if how == "faster" else Stage.NONE)
        expect(seen.page.locator("#do-join")).to_be_visible(visible=how != "faster")
        assert seen.said == []


def test_transaction__overtaken_by_anothers__is_refused_in_words(browser: Browser, scene: Scene) -> None:
    scene.round.committed().wait_for("commit", 60)
    with visited(browser, scene) as seen, waiting(scene) as mine:
        connect(seen.page)
        click(seen.page, "draw")
        draw = scene.market._transaction(scene.round.draw(scene.seats["bob"]))
        scene.market.chain.rpc("eth_sendTransaction", {**draw, "gasPrice": hex(50 * GWEI)})
        mine()
        line = seen.page.locator("#told li").last
        expect(line).to_contain_text("the claimant of round 1 is drawn already", timeout=20_000)
        assert "Refused in 0x" in line.inner_text()


def test_step__that_the_contract_would_refuse__is_said_in_words_before_it_is_sent(
    browser: Browser, scene: Scene
) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        page.locator("#deposit-amount").fill("0.5")
        do(page, "deposit")
        page.locator("#withdraw-amount").fill("0.75")
        cost = page.locator("#do-withdraw [data-cost]")
        expect(cost).to_contain_text("It would be refused: 500000000000000000 wei are free and 750000000000000000 are")
        expect(page.locator("#do-withdraw [type=submit]")).to_be_disabled()
        for typed in ("-1", "x", "0"):
            page.locator("#withdraw-amount").fill(typed)
            expect(cost).to_contain_text("Type how much you take out")
        page.locator("#withdraw-amount").fill("0.25")
        page.locator("#withdraw-to").fill("0x12")
        expect(cost).to_have_text("The receiver is no address, or mistyped.")
        assert len(scene.wallet.sent) == 1


# ── a hostile wallet, or node behind it ──


def test_chain__another_between_estimate_and_signature__nothing_is_sent_there(browser: Browser, scene: Scene) -> None:
    asked: list[dict[str, str]] = []
    method_of_change = "eth_getTransactionCount"

    def meddle(method: str, params: list[Any]) -> None:
        if method == method_of_change and "eth_estimateGas" in scene.wallet.asked:
            scene.wallet.go_to(1)
        if method == "eth_sendTransaction":
            asked.append(params[0])

    with visited(browser, scene) as seen:
        page = seen.page
        for words in (
            "The wallet has another account or chain now; nothing was sent.",
            "is not that of the wallet, 0x1",
        ):
            scene.wallet.meddle = Wallet.meddle
            scene.wallet.go_to(31337)
            connect(page)
            expect(page.locator("#do-join [type=submit]")).to_be_enabled()
            scene.wallet.asked.clear()
            scene.wallet.meddle = meddle
            do(page, "join", end=words)
            # If the page cannot see it any more, the wallet does: it is told for which chain it is asked.
            method_of_change = "eth_sendTransaction"
        assert [each["chainId"] for each in asked] == ["0x7a69"]
        assert scene.wallet.sent == []


def test_chain__another_while_one_waits__is_followed_once_the_wallet_is_back(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen, waiting(scene) as mine:
        page = seen.page
        connect(page)
        click(page, "join")
        line = page.locator("#told li").last
        scene.wallet.go_to(1, page)
        expect(line).to_contain_text("What becomes of it cannot be read now: the wallet is on another chain")
        mine()
        scene.wallet.go_to(31337, page)
        expect(line).to_contain_text("Done in", timeout=20_000)
        assert seen.said == []


def test_wallet__that_tells_of_no_change__its_other_account_is_seen(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        scene.wallet.choose(NORTH)
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as north", timeout=20_000)
        scene.wallet.go_to(1)
        expect(page.locator("#wrong-chain")).to_be_visible(timeout=20_000)


def test_wallet__that_answers_with_anothers_transaction__is_not_believed(browser: Browser, scene: Scene) -> None:
    scene.round.join(scene.seats["bob"]).send()
    (others,) = scene.market.chain.rpc("eth_getBlockByNumber", "latest", False)["transactions"]
    scene.wallet.meddle = lambda method, params: others if method == "eth_sendTransaction" else None
    with visited(browser, scene) as seen:
        connect(seen.page)
        do(
            seen.page,
            "join",
            end=f"answered with {others}, which is another transaction than this page asked for",
        )
        expect(seen.page.locator("#do-join [type=submit]")).to_be_enabled()


def test_node__away_while_one_waits__is_no_end_of_it(browser: Browser, scene: Scene) -> None:
    def meddle(method: str, params: list[Any]) -> None:
        if method == "eth_getTransactionReceipt":
            raise Refused(-32603, "the node is away")

    with visited(browser, scene) as seen, waiting(scene) as mine:
        connect(seen.page)
        scene.wallet.meddle = meddle
        click(seen.page, "join")
        line = seen.page.locator("#told li").last
        expect(line).to_contain_text("What becomes of it cannot be read now: the node is away")
        mine()
        scene.wallet.meddle = Wallet.meddle
        expect(line).to_contain_text("Done in", timeout=20_000)


def test_server__gone_in_the_middle__the_page_goes_on_to_the_reveal(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    round_, alice = scene.round.joined(), scene.seats["alice"]
    round_.wait_for("join")
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        page.locator("#commit-file").set_input_files(save_bid(page, alice.bids, tmp_path))
        assert scene.server is not None
        scene.server.cut()
        do(page, "commit")
        expect(page.locator("#problem")).to_contain_text("The server of this page does not answer.")
        round_.committed(but={alice}).drawn()
        do(page, "reveal")
        assert scene.stage("alice") is Stage.REVEALED


def test_transaction__dropped__is_said_and_can_be_sent_again(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen, waiting(scene) as mine:
        page = seen.page
        connect(page)
        click(page, "join")
        scene.market.chain.rpc("anvil_dropTransaction", scene.wallet.sent[0])
        expect(page.locator("#told li").last).to_contain_text("the node does not know it", timeout=20_000)
        click(page, "join")
        mine()
        expect(page.locator("#told li").last).to_contain_text("Done in", timeout=20_000)
        assert scene.stage("alice") is Stage.JOINED


# ── a bid that could not be opened ──


def test_commit__list_at_hand_after_the_file__no_bid_above_the_roles_cap(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    scene.wallet.choose(NORTH)
    scene.round.joined(but=scene.but("north")).wait_for("join")
    listed = tmp_path / "membership.json"
    listed.write_bytes(scene.listed.to_bytes())
    with visited(browser, scene, listed=False) as seen:
        page = seen.page
        connect(page)
        page.locator("#commit-file").set_input_files(save_bid(page, (51, 2), tmp_path))
        expect(page.locator("#do-commit [data-file]")).to_contain_text("It seals 51 gwei")
        page.locator("#list").set_input_files(listed)
        cost = page.locator("#do-commit [data-cost]")
        expect(cost).to_have_text("The bids in this file are not one for each model within the round's cap.")
        expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        page.locator("#commit-file").set_input_files(save_bid(page, (50, 2), tmp_path))
        expect(page.locator("#do-commit [type=submit]")).to_be_enabled()
        assert seen.said == []


def test_commit__other_bids_typed_than_those_of_the_file__are_not_passed_over(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    scene.round.joined().wait_for("join")
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        expect(page.locator("#bids input")).to_have_count(2)
        first, second = page.locator("#bids input").all()
        said = page.locator("#do-commit [data-file]")
        for typed in ("-1", "1.5", "7,5", "1e3", "10000001", "", "9" * 17):
            first.fill(typed)
            page.locator("#save-bid").click()
            expect(said).to_contain_text("Your bid for model 0, gwei: a whole number of gwei, 10,000,000 at most.")
        path = save_bid(page, (5, 6), tmp_path)
        page.locator("#commit-file").set_input_files(path)
        expect(page.locator("#do-commit [type=submit]")).to_be_enabled()
        second.fill("7")
        expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        expect(said).to_contain_text("You have typed other bids than those of the file")
        page.locator("#commit-file").set_input_files(path)
        expect(second).to_have_value("6")
        expect(page.locator("#do-commit [type=submit]")).to_be_enabled()
        page.locator("#commit-file").set_input_files([])  # the dialog, opened again and dismissed
        expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        assert scene.wallet.sent == []


def propose(scene: Scene, *names: str) -> None:
    for name in names:
        scene.round.propose(scene.seats[name]).send()
    scene.round.wait_for("join")


def test_reorganisation__proposals_in_another_order__the_bid_is_not_sent_for_them(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    chain = scene.market.chain
    scene.market.send_all([scene.round.join(seat) for seat in scene.round.members])
    with visited(browser, scene) as seen:
        page = seen.page
        page.clock.install()
        page.reload()
        connect(page)
        first = page.locator("#bids tr").first
        send, said = page.locator("#do-commit [type=submit]"), page.locator("#do-commit [data-file]")
        for in_time in (True, False):
            with chain.snapshot():
                propose(scene, "bob", "carol")
                expect(first).to_contain_text(scene.seats["bob"].account[:6])
                page.locator("#commit-file").set_input_files(path := save_bid(page, (5, 6), tmp_path))
                expect(send).to_be_enabled()
                expect(page.locator('[data-fill="final"]')).to_contain_text("is not final yet")
                if not in_time:
                    page.clock.pause_at(page.evaluate("Date.now() + 1000"))  # it does not look until it is clicked
                    page.wait_for_timeout(500)  # but for a look that is under way
            with chain.snapshot():
                propose(scene, "carol", "bob")
                if not in_time:
                    do(page, "commit", end="Choose the saved file of your sealed bid.")
                expect(send).to_be_disabled(timeout=20_000)
                page.locator("#commit-file").set_input_files(path)
                expect(said).to_contain_text("is for other models, or for these in another order")
                expect(first).to_contain_text(scene.seats["carol"].account[:6])
        assert scene.wallet.sent == []


def test_reorganisation__after_the_commitment__the_bid_can_still_be_opened(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    round_, alice = scene.round.committed().drawn(), scene.seats["alice"]
    path = tmp_path / "bid.json"
    whose = (scene.market.chain_id, scene.market.address, round_.id, alice.account)
    BidFile(*whose, models=bytes(32), sealed=alice.sealed).write(path)
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        expect(page.locator('[data-fill="draw-final"]')).to_contain_text("The draw is not final yet", timeout=20_000)
        page.locator("#reveal-file").set_input_files(path)
        expect(page.locator("#do-reveal [data-file]")).to_contain_text("The proposals are others now")
        scene.market.chain.rpc("anvil_mine", hex(40))
        expect(page.locator('[data-fill="draw-final"]')).to_be_empty(timeout=20_000)
        do(page, "reveal")
        assert scene.stage("alice") is Stage.REVEALED
        assert seen.said == []
