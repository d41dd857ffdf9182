"""What is told of a consortium's round."""

from analysis.consortium.rounds import left_out_in
from analysis.consortium.story import MUTE, story
from fl.market.bids import pack_bids
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms, Status
from fl.record.history import MemberRecord, ModelRecord, RoundRecord, Settled, Vote

TERMS = RoundTerms(100, 50, 200 * GWEI, Deadlines(1, 2, 3, 4, 5, 6, 7))


def record() -> RoundRecord:
    """Bob's model was trained; nobody knew anything of carol's, and south cheated."""
    made = RoundRecord(3, TERMS, bytes(32), Status.REPORTED, selected=0, result=(bytes(32), 8_000), claimant="north")
    made.models = [ModelRecord("bob", 2, live=True), ModelRecord("carol", 2, live=True)]
    made.global_rounds = {0: (bytes(32), bytes(32)), 1: (bytes(32), bytes(32))}
    nothing = Settled(0, 0, 0, 0, 0, 0)
    settled = {
        "bob": Settled(share=18 * GWEI, tax=2 * GWEI, slashed=0, reward=0, forfeited=0, bonus=0),
        "south": Settled(share=0, tax=0, slashed=200 * GWEI, reward=9 * GWEI, forfeited=0, bonus=-10 * GWEI),
    }
    bids = {"bob": [20, 0], "carol": [12, 15], "south": [6, 50], "east": [9, 50]}
    for name, role in (
        *((each, Role.OWNER) for each in ("bob", "carol")),
        *((each, Role.BASE_STATION) for each in ("north", "south", "east")),
    ):
        member = made.members[name] = MemberRecord(name, role, 1, 0, committed=True)
        member.settled = settled.get(name, nothing)
        member.words = tuple(pack_bids(bids[name])) if name in bids else None
    made.members["north"].listed = made.members["east"].listed = 500_000
    made.votes = [Vote("carol", 9_790, True)]
    return made


def test_story__cheat_and_mute__who_was_left_out_why_and_what_it_cost() -> None:
    left_out = {0: {"south": "the model of south is no number"}, 1: {}}
    lines = list(story(record(), left_out, {"carol": MUTE, "south": "no number"}, 2**255))
    assert lines == [
        "round 3: of 2 models that of bob was selected, trained for 2 global rounds and reported with a claim of "
        "80.0 %; upheld, 5 members settled",
        "  north stood aside as claimant, drawn from prevrandao",
        "  carol measured 97.9 % and upheld the contributions",
        "  carol was not honest (mute): it paid nothing",
        "  on the model of carol, of which nobody was told anything, the other owners bid 0 gwei",
        "  on the model of carol, of which nobody was told anything, the other base stations bid 50, 50 gwei",
        "  south was not honest (no number): it was paid 9 gwei, got back of the stakes, less its own, -10 gwei, "
        "lost of its bond 200 gwei",
        "  south was left out of global round 1: the model of south is no number",
    ]


def test_story__chain_without_randomness__says_what_the_claimant_was_drawn_from() -> None:
    (line,) = (each for each in story(record(), {}, {}, 2) if "claimant" in each)
    assert line.endswith("drawn from the hash of the block before it, for want of prevrandao")


def test_left_out__as_an_audit_tells_it__by_global_round() -> None:
    account = "0x" + "aB" * 20
    audit = f"""the chain: draw, selection, shares, taxes and payments follow
global round 1: of 2 updates, 1 left out; the model follows, bit for bit
  without {account}: the update of {account}: at most 9 bytes are read
global round 2: of 3 updates, 0 left out; the model follows, bit for bit
All follows."""
    assert left_out_in(audit) == {0: {account: f"the update of {account}: at most 9 bytes are read"}, 1: {}}
