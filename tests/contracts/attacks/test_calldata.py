"""Calldata that no honest client makes: cut short, trailing, dirty, overlapping, with lengths that lie."""

from collections.abc import Callable

import pytest

from analysis.devnode.chain import TRANSACTION_GAS
from analysis.devnode.market import Call
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI
from tests.contracts.attacks.scenes import SCENES, Scene, to_draw

FREE = 1_000 * GWEI  # what the caller has free
WORD = 32
JUNK = "ff" * WORD


def outcome(call: Call, data: str) -> tuple[bool, str]:
    """Whether a call with that calldata would succeed, and what it would return or revert with."""
    market = call.market
    transaction = {
        "from": call.sender,
        "to": market.address,
        "value": hex(call.value),
        "data": data,
        "gas": hex(TRANSACTION_GAS),
    }
    answer = market.chain.raw_batch([("eth_call", (transaction, "latest"))])[0]
    if "error" in answer:
        return False, answer["error"].get("data", "")
    return True, answer["result"]


def effects(call: Call, data: str) -> list[str]:
    """The logs that a call with that calldata would leave: topics and data, which tell every change."""
    transaction = {"from": call.sender, "to": call.market.address, "value": hex(call.value), "input": data}
    simulated = call.market.chain.rpc("eth_simulateV1", {"blockStateCalls": [{"calls": [transaction]}]}, "latest")
    result = simulated[0]["calls"][0]
    assert result["status"] == "0x1", result
    return [f"{log['topics']} {log['data']}" for log in result["logs"]]


def encoded(call: Call) -> str:
    return call.market.codec.call(call.function, call.arguments)


def words(data: str) -> list[str]:
    """The 32-byte words after the selector."""
    body = data[10:]
    return [body[i : i + 2 * WORD] for i in range(0, len(body), 2 * WORD)]


def replaced(data: str, index: int, word: str | int) -> str:
    """The calldata with one word after the selector replaced."""
    parts = words(data)
    parts[index] = f"{word:064x}" if isinstance(word, int) else word
    return data[:10] + "".join(parts)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_calldata__trailing_words__change_nothing(
    create_round: CreateRound, scene: Callable[[CreateRound], Scene]
) -> None:
    """Bids are hashed by their length, not to the end of what was sent."""
    round_, seat, call = scene(create_round)
    round_.market.call("deposit", sender=seat.account, value=FREE).send()
    data = encoded(call)
    plain = effects(call, data)
    assert plain, "a call that leaves no log would prove nothing"
    if scene is to_draw:  # each simulated block draws another claimant
        assert len(effects(call, data + JUNK * 3)) == len(plain)
    else:
        assert effects(call, data + JUNK * 3) == plain


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_calldata__cut_short__reverts(create_round: CreateRound, scene: Callable[[CreateRound], Scene]) -> None:
    """A missing word must not be read as zero."""
    round_, seat, call = scene(create_round)
    round_.market.call("deposit", sender=seat.account, value=FREE).send()
    data = encoded(call)
    assert outcome(call, data)[0]
    if len(words(data)) == 0:  # a call without arguments has only its selector
        assert not outcome(call, data[:8])[0]
    else:
        assert not outcome(call, data[:-2])[0]


def creating(round_: LiveRound) -> Call:
    return round_.market.call("createRound", round_.terms.encode(), round_.tree.root, sender=round_.owners[0].account)


def joining(round_: LiveRound) -> Call:
    return round_.join(round_.owners[0])


def proposing(round_: LiveRound) -> Call:
    round_.join(round_.owners[0]).send()
    return round_.propose(round_.owners[0])


def settling(round_: LiveRound) -> Call:
    return round_.settle(round_.voted().owners[0])


def voting(round_: LiveRound) -> Call:
    return round_.vote(round_.reported().owners[0])


def listing(round_: LiveRound) -> Call:
    return round_.report_contributions(round_.trained().equal_contributions())


@pytest.mark.parametrize(
    ("make", "index", "word"),
    [
        (creating, 0, 2**64 + 1),  # a cap that is 1 once it is cut to 64 bits
        (creating, 4, 2),  # a policy that is none
        (creating, 7, 2**16 + 5_000),  # a threshold of half
        (creating, 16, 2**40 + 2**31),  # a deadline
        (joining, 2, 2),  # a role that is none
        (joining, 2, 2**255),
        (joining, 3, 2**32 + 1),  # points
        (joining, 3, 2**256 - 1),
        (proposing, 3, 2**16 + 1),  # global rounds
        (voting, 1, 2**16),  # an accuracy
        (voting, 2, 2),  # a boolean that is neither
    ],
    ids=[
        "cap 2^64+1",
        "policy 2",
        "threshold 2^16",
        "deadline 2^40",
        "role 2",
        "role beyond",
        "points 2^32+1",
        "points beyond",
        "global rounds 2^16",
        "accuracy 2^16",
        "boolean 2",
    ],
)
def test_calldata__dirty_upper_bits__reverts(
    create_round: CreateRound, make: Callable[[LiveRound], Call], index: int, word: int
) -> None:
    call = make(create_round())
    assert outcome(call, encoded(call))[0]
    succeeded, returned = outcome(call, replaced(encoded(call), index, word))
    assert (succeeded, returned) == (False, "0x"), "it is the decoder that refuses it, not a rule that may change"


@pytest.mark.parametrize("make", [settling, listing])
def test_calldata__dirty_address__reverts(create_round: CreateRound, make: Callable[[LiveRound], Call]) -> None:
    """An account with something above its 20 bytes is nobody."""
    call = make(create_round())
    data = encoded(call)
    account = call.arguments[1] if make is settling else call.arguments[1][0]
    index = words(data).index(account[2:].lower().rjust(64, "0"))
    assert outcome(call, data)[0]
    assert not outcome(call, replaced(data, index, "01" + words(data)[index][2:]))[0]


def test_calldata__listed_points_with_dirty_upper_bits__reverts(create_round: CreateRound) -> None:
    """Points that are as many as allowed once they are cut to 32 bits."""
    call = listing(create_round())
    data = encoded(call)
    points = f"{call.arguments[2][1]:064x}"
    assert outcome(call, data)[0]
    assert not outcome(call, replaced(data, words(data).index(points), 2**32 + int(points, 16)))[0]


@pytest.mark.parametrize("length", [2, 2**32, 2**64, 2**251, 2**256 - 1])
def test_calldata__length_that_lies__reverts(create_round: CreateRound, length: int) -> None:
    """More bids than were sent, up to lengths whose size in bytes wraps around to what was."""
    round_ = create_round().drawn()
    call = round_.reveal_bid(round_.owners[0])
    data = encoded(call)
    index = words(data).index(f"{1:064x}", 3)  # round, offset, salt, then the length of the bids
    assert outcome(call, data)[0]
    assert not outcome(call, replaced(data, index, length))[0]


def test_calldata__bids_that_are_the_members__reverts(create_round: CreateRound) -> None:
    """Two lists in the same place: what is read as bids are the accounts themselves, and checked like any."""
    round_ = create_round().voted()
    alice = round_.owners[0]
    call = round_.call("settleMany", [alice.account], alice.sealed.words, sender=alice)
    data = encoded(call)
    members_offset = int(words(data)[1], 16)
    assert outcome(call, data)[0]
    success, returned = outcome(call, replaced(data, 2, members_offset))
    assert not success
    assert round_.market.codec.failure(returned).error == "WrongBids"


def test_calldata__value_sent_to_a_call_that_takes_none__reverts(create_round: CreateRound) -> None:
    """Ether that no account is credited with would be lost."""
    payable = {"deposit", "join", "joinAndCommit"}
    for scene in SCENES:
        round_, seat, call = scene(create_round)
        if call.function in payable:
            continue
        round_.market.call("deposit", sender=seat.account, value=FREE).send()
        assert outcome(call, encoded(call))[0]
        paying = Call(call.market, call.function, call.arguments, call.sender, 1)
        assert not outcome(paying, encoded(call))[0], f"{call.function} takes ether"
