"""What is sealed: its readers open it with any key they ever had, others learn sizes."""

import secrets

import pytest
from coincurve import PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.store.errors import StoreError, TooLarge, ViewError
from fl.store.keys import EncryptionKey
from fl.store.sealed import MOST_READERS, most_sealed, open_sealed, seal
from tests.fl.store.support import ALICE, BOB, card_of

KEYS = [EncryptionKey.generate() for _ in range(9)]
CARDS = [card_of(ALICE, key) for key in KEYS]
STRANGER = EncryptionKey.generate()


@settings(max_examples=25)
@given(data=st.binary(max_size=10_000), readers=st.sets(st.integers(0, 8), min_size=1), old=st.integers(0, 3))
def test_seal__any_data_and_readers__each_opens_it_and_nobody_else(data: bytes, readers: set[int], old: int) -> None:
    """With old keys beside the right one, before it."""
    sealed = seal(data, [CARDS[reader] for reader in readers])
    before = [EncryptionKey.generate() for _ in range(old)]
    for number, key in enumerate(KEYS):
        if number in readers:
            assert open_sealed(sealed, [*before, key]) == data
        else:
            with pytest.raises(ViewError, match="not sealed to any key of yours"):
                open_sealed(sealed, [key])
    assert len(data) < 16 or data not in sealed


def test_seal__same_data_and_readers__nothing_alike() -> None:
    first, second = (seal(b"text", CARDS[:2]) for _ in range(2))
    assert len(first) == len(second)
    assert max(map(len, runs_alike(first[2:], second[2:]))) < 8


def runs_alike(first: bytes, second: bytes) -> list[bytes]:
    """What is the same at the same place, in one piece each; the point of a wrap begins with 4."""
    alike = bytes(int(a == b) for a, b in zip(first, second, strict=True))
    return [b"", *alike.split(b"\0")]


def wraps_of(sealed: bytes) -> list[bytes]:
    return [sealed[at : at + 129] for at in range(2, 2 + 2 ** sealed[1] * 129, 129)]


def test_seal__readers__stand_in_random_order() -> None:
    def places() -> tuple[bool, ...]:
        return tuple(opens(KEYS[0], wrap) for wrap in wraps_of(seal(b"text", CARDS[:8])))

    found = [places() for _ in range(20)]
    assert all(sum(each) == 1 for each in found)
    assert len(set(found)) > 1


def opens(key: EncryptionKey, wrap: bytes) -> bool:
    try:
        key.open(wrap)
    except ViewError:
        return False
    return True


def test_seal__wraps_that_nobody_opens__look_like_the_others() -> None:
    """Each begins with a point of the curve of its own."""
    wraps = wraps_of(seal(b"text", CARDS[:5]))
    assert sum(any(opens(key, wrap) for key in KEYS) for wrap in wraps) == 5
    assert len({PublicKey(wrap[:65]).format() for wrap in wraps}) == 8


@pytest.mark.parametrize(("readers", "wraps"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (9, 16)])
def test_seal__size__tells_readers_to_a_factor_of_two_only(readers: int, wraps: int) -> None:
    one, many = (len(seal(b"", CARDS[:count])) for count in (1, readers))
    assert many - one == (wraps - 1) * 129


def test_seal__texts_up_to_4_kib__all_have_one_size() -> None:
    sizes = {len(seal(bytes(size), CARDS[:1])) for size in (0, 1, 100, 4088)}
    assert len(sizes) == 1


@given(st.integers(0, 2**40))
def test_most_sealed__any_size__is_room_for_the_data_and_little_more(size: int) -> None:
    readers = MOST_READERS * 129
    assert size < most_sealed(size) - readers <= max(8192, size * 17 // 16 + 64)


def test_open__any_byte_changed__refused() -> None:
    """Also in a wrap for somebody else: what a reader opens is what was sealed, whole."""
    sealed = seal(b"text", CARDS[:2])
    for at in (0, 1, *range(2, 2 + 129, 16), *range(131, 260, 16), 260, 272, 288, 296, len(sealed) - 1):
        damaged = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        for key in KEYS[:2]:
            with pytest.raises(ViewError):
                open_sealed(damaged, [key])


@pytest.mark.parametrize("length", [0, 1, 2, 130, 131, 200, 4_000, -1])
def test_open__cut_off__refused(length: int) -> None:
    sealed = seal(b"text", CARDS[:1])
    with pytest.raises(ViewError):
        open_sealed(sealed[:length], KEYS[:1])


@given(st.binary(max_size=400))
def test_open__any_bytes__one_kind_of_error(data: bytes) -> None:
    with pytest.raises(ViewError):
        open_sealed(data, KEYS[:1])
    with pytest.raises(ViewError):
        open_sealed(bytes([1, 0]) + data, KEYS[:1])


def test_open__padded_otherwise_than_its_size_says__refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one sealed form of data for a content key: nothing can be hidden behind them."""
    with monkeypatch.context() as patched:
        patched.setattr("fl.store.sealed._padded", lambda size: 5_000)
        sealed = seal(b"text", CARDS[:1])
    with pytest.raises(ViewError, match="says a wrong size"):
        open_sealed(sealed, KEYS[:1])


def test_open__wraps_without_end__are_not_tried() -> None:
    with pytest.raises(ViewError, match="not sealed as this version seals"):
        open_sealed(bytes([1, 255]) + bytes(1000), KEYS[:1])


def test_open__larger_than_taken__refused() -> None:
    assert open_sealed(seal(bytes(5), CARDS[:1]), KEYS[:1], most=5) == bytes(5)
    with pytest.raises(TooLarge, match="5 bytes: at most 4"):
        open_sealed(seal(bytes(5), CARDS[:1]), KEYS[:1], most=4)


def test_seal__card_signed_by_somebody_else__refused() -> None:
    with pytest.raises(ViewError, match="is signed by"):
        seal(b"text", [CARDS[0], card_of(BOB, EncryptionKey.generate(), claimed=ALICE.address)])


def test_seal__no_readers_or_too_many__refused() -> None:
    for cards in ([], CARDS[:1] * (MOST_READERS + 1)):
        with pytest.raises(StoreError, match="1 … 4,096 readers"):
            seal(b"text", cards)


def test_seal__larger_data__comes_back() -> None:
    data = secrets.token_bytes(3_000_000)
    sealed = seal(data, CARDS)
    assert open_sealed(sealed, [STRANGER, KEYS[8]]) == data
    assert len(sealed) < len(data) * 1.07
