"""Taking part from the page, in a real browser, with a wallet that signs with test keys on a real node."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import Step
from fl.market.membership_file import MembershipList
from fl.market.terms import GWEI, Role, Stage, Status
from fl.market.words import gwei
from fl.members.bid_file import BidFile
from tests.support.browser import DESKTOP, PHONE
from tests.support.client import client_of
from tests.support.take_part import (
    ETHER,
    MALLORY,
    NORTH,
    SECRET_BIDS,
    Scene,
    connect,
    do,
    list_of,
    save_bid,
    scene_of,
    shown,
    signing,
    until_drawn,
    visited,
)
from web.browser.wallet import key_of

KEPT = """async () => ({
  session: {...sessionStorage}, local: {...localStorage}, databases: await indexedDB.databases(),
  cookies: document.cookie, address: location.href, title: document.title, history: history.state, name: window.name,
})"""
"""What a browser keeps of a page, or shows of it elsewhere."""

# ── connect ──


def test_connect__listed_owner__sees_role_proof_terms_and_the_most_that_it_can_lose(
    browser: Browser, scene: Scene
) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        alice = scene.seats["alice"]
        assert shown(page, "account") == alice.account
        assert (shown(page, "role"), shown(page, "points")) == ("an owner", "1")
        assert "On the list as alice" in shown(page, "listed")
        loss = scene.round.terms.worst_loss(Role.OWNER)
        assert shown(page, "worst") == f"{loss / ETHER:.18f}".rstrip("0") + " ETH"
        assert scene.round.lock(alice) == loss + 200 * GWEI
        assert shown(page, "lock") == "0.0200002 ETH"
        assert shown(page, "termsHash") == "0x" + scene.round.terms.hash.hex()
        assert shown(page, "bond") == "200 gwei"
        assert shown(page, "maxOwnerBid") == "10,000,000 gwei"
        named = f"Contract: {scene.market.address} on chain 31337."
        expect(page.locator("[aria-labelledby=terms-h]")).to_contain_text(named)
        assert shown(page, "closes").startswith("until 20")
        expect(page.locator("#do-join [data-cost]")).to_contain_text(
            re.compile(r"Costs about \d\d,\d{3} gas, a fee of")
        )
        assert seen.said == []


def test_connect__list_chosen_as_a_file__is_held_against_the_rounds_door(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    right, wrong, none = (tmp_path / name for name in ("right.json", "wrong.json", "none.json"))
    right.write_bytes(scene.listed.to_bytes())
    wrong.write_bytes(list_of(scene.market, scene.round.members[:-1]).to_bytes())
    none.write_text("[]", encoding="utf-8")
    with visited(browser, scene, listed=False) as seen:
        page = seen.page
        connect(page)
        listed = page.locator('[data-fill="listed"]')
        expect(listed).to_have_text("This account is on no list at hand.")
        expect(page.locator("#do-join [data-cost]")).to_contain_text("choose the list above")
        page.locator("#list").set_input_files(wrong)
        expect(listed).to_contain_text("is not this round's")
        expect(page.locator("#what-you-lose")).to_be_hidden()
        page.locator("#list").set_input_files(none)
        expect(listed).to_have_text("This is no membership list.")
        scene.round.joined(but=scene.but("alice")).wait_for("join")
        expect(page.locator("#do-commit"), "it has ceased to follow the round").to_be_visible()
        page.locator("#list").set_input_files(right)
        expect(listed).to_contain_text("On the list as alice")
        expect(page.locator("#problem")).to_be_empty()
        assert shown(page, "worst") == "0.02 ETH"
        assert seen.said == []


def test_connect__nobody_of_the_list__is_told_so_and_joins_nothing(browser: Browser, scene: Scene) -> None:
    scene.wallet.choose(MALLORY)
    with visited(browser, scene) as seen:
        connect(seen.page)
        expect(seen.page.locator('[data-fill="listed"]')).to_have_text("This account is on no list at hand.")
        expect(seen.page.locator("#do-join [type=submit]")).to_be_disabled()


def test_connect__list_with_a_hostile_name__shows_it_as_text(browser: Browser, scene: Scene) -> None:
    name = "<img src=x onerror=alert(1)>" + "x" * 1_000
    first, *rest = scene.listed.members
    lines, maker = [replace(first, name=name), *rest], scene.listed.maker
    scene.listed = MembershipList.made(scene.listed.domain, lines, maker, signing("alice"))
    with visited(browser, scene, PHONE) as seen:
        connect(seen.page)
        expect(seen.page.locator('[data-fill="listed"]')).to_contain_text(
            "On the list as <img src=x onerror=alert(1)>xxx"
        )
        assert seen.page.locator("#place img").count() == 0
        assert seen.overflow == 0
        assert seen.said == []


# ── a round, step by step ──


def test_owner__whole_round_from_the_page__each_step_is_on_the_chain_and_no_secret_at_the_server(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    round_, alice = scene.round, scene.seats["alice"]
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        page.locator("#deposit-amount").fill("0.01")
        do(page, "deposit", clicks=2)
        assert scene.market.view("freeBalance", alice.account) == ETHER // 100
        expect(page.locator("#do-join [data-cost]")).to_contain_text("and sends 0.0100002 ETH")
        hashed = shown(page, "termsHash").removeprefix("0x")
        do(page, "join")
        assert scene.stage("alice") is Stage.JOINED
        assert hashed in scene.wallet.signed[scene.wallet.sent[-1]]["data"], "it joined on other terms than were shown"
        assert scene.market.view("freeBalance", alice.account) == 0
        round_.joined(but=scene.but("alice"))
        expect(page.locator('[data-fill="standing"]')).to_contain_text("bids are sealed in the next phase")

        round_.committed(but=scene.but("alice"))
        path = save_bid(page, alice.bids, tmp_path)
        saved = BidFile.from_bytes(path.read_bytes())
        assert saved.sealed.bids == alice.bids
        assert scene.wallet.sent[2:] == [], "a click too many, or sent before the file was there"
        expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        page.locator("#commit-file").set_input_files(path)
        expect(page.locator("#do-commit [data-file]")).to_have_text(
            "It seals 7,310,017 gwei for model 0, 9,000,001 gwei for model 1."
        )
        do(page, "commit")
        assert scene.stage("alice") is Stage.COMMITTED

        round_.wait_for("commit", 60)
        expect(page.locator("#do-draw")).to_be_visible(timeout=20_000)
        round_.drawn()
        page.locator("#reveal-file").set_input_files(path)
        do(page, "reveal")
        assert scene.stage("alice") is Stage.REVEALED
        round_.revealed(but=scene.but("alice"))
        do(page, "select")
        round_.seen(Step.SELECTED).reported()

        page.locator("#accuracy").fill("0.9")
        cost = page.locator("#do-vote [data-cost]")
        expect(cost).to_contain_text("Say whether you find")
        expect(page.locator('[data-fill="claimed"]')).to_have_text("91 %", timeout=20_000)
        assert shown(page, "punishes") == "88 %"
        page.get_by_label("They do not").check()
        for typed, verdict in (("0.9", "lose"), ("87.99", "lose"), ("88", "keep"), (" 87.50 ", "lose")):
            page.locator("#accuracy").fill(typed)
            expect(cost).to_contain_text(f" your vote is for the winner to {verdict} its bond. Costs about")
        do(page, "vote")
        assert round_.state.votesPunish == 1
        scene.market.send_all([round_.vote(seat) for seat in round_.electors if seat != alice])
        do(page, "settle")
        assert scene.stage("alice") is Stage.NONE
        expect(page.locator("#settled")).to_contain_text(
            re.compile(r"Settled: you paid a share of [0-9.]+ ETH"), timeout=20_000
        )
        free = scene.market.view("freeBalance", alice.account)
        page.locator("#withdraw-to").fill(f" {key_of('mallory').address} ")
        expect(page.locator("#do-withdraw [data-cost]")).to_contain_text(
            f"Pays 0.{free:018}".rstrip("0") + f" ETH to {key_of('mallory').address}. Costs about"
        )
        do(page, "withdraw")
        assert scene.market.chain.balance_of(key_of("mallory").address) == 10 * ETHER + free
        kept = page.evaluate(KEPT)
        assert seen.said == []

    assert scene.server is not None
    heard = bytes(scene.server.heard).lower()
    assert alice.account.lower().encode() in heard, "nothing of what the server heard was kept"
    assert kept["session"] == {"hcfl.wallet": "org.example.test"} and kept["databases"] == []
    for secret in (*SECRET_BIDS, saved.sealed.salt.hex()):
        assert secret.encode() not in heard
        assert secret not in json.dumps(kept)


def test_station__joins_and_commits_at_once__is_drawn_and_takes_its_lot(
    browser: Browser, market: Devnode, tmp_path: Path
) -> None:
    scene = scene_of(market, claimant="north")
    round_, north = scene.round, scene.seats["north"]
    scene.wallet.choose(NORTH)
    round_.joined(but=scene.but("north")).committed()
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        assert (shown(page, "role"), shown(page, "lock")) == ("a base station", "260 gwei")
        path = save_bid(page, north.bids, tmp_path)
        page.locator("#commit-file").set_input_files(path)
        cost = page.locator("#do-commit [data-cost]")
        expect(cost).to_contain_text("It joins as well, on the terms above, and locks 260 gwei until you are settled.")
        expect(cost).to_contain_text("and sends 260 gwei")
        do(page, "commit")
        round_.wait_for("commit", 60)
        until_drawn(round_, north)
        do(page, "draw")
        round_.seen(Step.DRAWN)
        expect(page.locator('[data-fill="standing"]')).to_contain_text("You are the claimant")
        expect(page.locator("#do-reveal")).to_be_hidden()
        round_.revealed().selected()
        expect(page.locator('[data-fill="standing"]')).to_contain_text("staying away costs the bond", timeout=20_000)
        round_.voted()
        do(page, "settle")
        round_.settled()
        lot = round_.lot
        assert lot > 0
        do(page, "claim")
        assert round_.lot == 0
        assert scene.market.view("freeBalance", north.account) > lot
        expect(page.locator("#do-claim")).to_be_hidden()
        assert seen.said == []


def test_station__works_in_part_and_is_listed_below_an_equal_part__reads_what_it_lost_and_of_what(
    browser: Browser, scene: Scene
) -> None:
    scene.wallet.choose(NORTH)
    north, south, east = (scene.seats[name] for name in ("north", "south", "east"))
    round_ = scene.round.trained(recorded={north: 1}).reported({north: 100_000, south: 500_000, east: 400_000}).voted()
    with visited(browser, scene) as seen:
        connect(seen.page)
        do(seen.page, "settle")
        expect(seen.page.locator("#settled")).to_contain_text("Settled", timeout=20_000)
        said = seen.page.locator("#settled").text_content() or ""
        assert seen.said == []
    assert "lost of the stake 7 gwei" in said, "three stakes of 10, a tenth of them, less its own"
    (moved,) = [event.values for event in client_of(scene.market).events(round_.id) if event.name == "MemberSettled"]
    assert moved["slashed"] and moved["reward"] and moved["forfeited"], "or there is nothing to tell apart"
    parts = (("lost of the bond", "slashed"), ("missed of the reward", "forfeited"), ("earned a reward of", "reward"))
    for words, name in parts:
        wei = moved[name]
        amount = f"{gwei(wei)} gwei" if wei < 10**14 else f"{wei // ETHER}.{wei % ETHER:018}".rstrip("0") + " ETH"
        assert f"{words} {amount}" in said, name
    assert "gained" not in said


def test_proposer__stayed_away__can_be_settled_once_the_draw_has_shown_that_it_owes_its_bond(
    browser: Browser, scene: Scene
) -> None:
    round_ = scene.round.joined()
    round_.propose(scene.seats["alice"]).send()
    round_.committed(but=scene.but("alice")).wait_for("commit", 60)
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        expect(page.locator("#do-draw")).to_be_visible()
        expect(page.locator("#do-settle")).to_be_hidden()
        do(page, "draw")
        do(page, "settle")
        assert scene.stage("alice") is Stage.NONE
        assert seen.said == []


def test_winner__silent_until_its_deadline_is_past__round_is_aborted_and_settled_from_the_page(
    browser: Browser, scene: Scene
) -> None:
    round_ = scene.round.trained()
    bond, winner = scene.round.terms.bond, round_.winner
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        expect(page.locator("#do-abort")).to_be_hidden()
        round_.wait_for("report")
        expect(page.locator("#do-abort")).to_be_visible()
        do(page, "abort")
        assert round_.state.status == Status.ABORTED
        do(page, "settle")
        expect(page.locator("#settled")).to_contain_text("Settled: you paid a share of", timeout=20_000)
        assert seen.said == []
    assert round_.seen(Step.VOTED).settled()[winner].event("MemberSettled")["slashed"] == bond


# ── for everybody ──


def test_page__in_a_frame_or_with_scripts_of_others__is_refused_by_the_browser(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen:
        answer = seen.page.reload()
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        for part in ("frame-ancestors 'none'", "script-src 'self'", "connect-src 'self'"):
            assert part in policy.split("; "), part
        assert answer.headers["referrer-policy"] == "no-referrer"
        with seen.page.expect_console_message(lambda message: "frame" in message.text):
            seen.page.evaluate("document.body.append(Object.assign(document.createElement('iframe'), {src: '/'}))")


@pytest.mark.parametrize("size", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")])
def test_page__in_the_commit_phase__axe_finds_no_serious_fault_and_all_fits(
    browser: Browser, scene: Scene, size: ViewportSize
) -> None:
    scene.round.joined().wait_for("join")
    scheme = "dark" if size == PHONE else "light"
    with visited(browser, scene, size, color_scheme=scheme) as seen:
        connect(seen.page)
        expect(seen.page.locator("#do-commit")).to_be_visible()
        assert seen.axe() == []
        assert seen.overflow == 0
        assert seen.said == []


def test_page__keyboard_alone__connects_and_joins(browser: Browser, scene: Scene) -> None:
    def go_to(words: str) -> None:
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == words:
                break
        page.keyboard.press("Enter")

    with visited(browser, scene) as seen:
        page = seen.page
        expect(page.get_by_role("button", name="Connect Test wallet")).to_be_visible()
        go_to("Connect Test wallet")
        expect(page.locator("#do-join [type=submit]")).to_be_enabled()
        go_to("Join on these terms")
        expect(page.locator("#told li").last).to_contain_text("Done in", timeout=20_000)
        assert scene.stage("alice") is Stage.JOINED
