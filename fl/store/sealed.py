"""Data that only its readers can open, however many there are.

    1 byte          version
    1 byte          n
    2^n × 129 bytes the content key, encrypted to each reader (ECIES), in random order and without a name
    12 bytes        nonce
    16 bytes        tag, of all of the above and below
    the rest        AES-256-GCM of the data's length in 8 bytes, the data, and zeros

Who has no key learns about how many bytes and, to a factor of two, how many readers there are: the wraps are made up to
a power of two by such for a key that nobody has, and the data by zeros, to at least 4 KiB and by a sixteenth at most.
"""

import secrets
from collections.abc import Sequence

import ecies
from Crypto.Cipher import AES

from fl.store.errors import StoreError, TooLarge, ViewError
from fl.store.keys import EncryptionKey, KeyCard

MOST_READERS = 4096
"""A blob with more is not tried: each costs its reader some 0.2 ms."""

_VERSION = 1
_KEY, _NONCE, _TAG, _SIZE = 32, 12, 16, 8
_WRAP = 65 + 16 + 16 + _KEY  # ephemeral point, nonce, tag, key
_LEAST = 4096
"""Bytes that data are padded to: so texts of proposals all have one size."""


def seal(data: bytes, cards: Sequence[KeyCard]) -> bytes:
    """Encrypt data to the holders of key cards.

    Args:
        data: up to some gigabytes; it takes three times its size in memory.
        cards: of the readers, 1 … 4,096.

    Raises:
        ViewError: a card is not signed by its account.
        StoreError: there are no readers, or too many.
    """
    if not 1 <= len(cards) <= MOST_READERS:
        raise StoreError(f"data can be sealed to 1 … {MOST_READERS:,} readers, not {len(cards):,}")
    for card in cards:
        card.verify()
    exponent = (len(cards) - 1).bit_length()
    key = secrets.token_bytes(_KEY)
    wraps = [ecies.encrypt(card.public_key, key) for card in cards]
    nobodys = EncryptionKey.generate().public_key
    wraps += [ecies.encrypt(nobodys, key) for _ in range(2**exponent - len(cards))]
    secrets.SystemRandom().shuffle(wraps)
    head = b"".join((bytes([_VERSION, exponent]), *wraps, secrets.token_bytes(_NONCE)))

    size = _padded(_SIZE + len(data))
    sealed = bytearray(len(head) + _TAG + size)
    sealed[: len(head)] = head
    body = memoryview(sealed)[len(head) + _TAG :]
    cipher = _cipher(key, head)
    cipher.encrypt(len(data).to_bytes(_SIZE), output=body[:_SIZE])
    at = _SIZE + len(data)
    cipher.encrypt(data, output=body[_SIZE:at])
    cipher.encrypt(bytes(size - at), output=body[at:])
    sealed[len(head) : len(head) + _TAG] = cipher.digest()
    return bytes(sealed)


def open_sealed(sealed: bytes, keys: Sequence[EncryptionKey], most: int | None = None) -> bytes:
    """Decrypt what was sealed to one of these keys.

    Args:
        sealed: what anybody may have written.
        keys: every key that the reader ever had: an old card of its may have been sealed to.
        most: bytes that the data may have; None: any number.

    Raises:
        TooLarge: the data have more.
        ViewError: it is not sealed to any of the keys, or damaged.
    """
    if len(sealed) < 2 or sealed[0] != _VERSION or 2 ** sealed[1] > MOST_READERS:
        raise ViewError("this is not sealed as this version seals: ask its sender again")
    wraps_end = 2 + 2 ** sealed[1] * _WRAP
    head_end = wraps_end + _NONCE
    start = head_end + _TAG
    if len(sealed) < start + _padded(_SIZE):
        raise ViewError("this is sealed and cut off: ask its sender again")
    wraps = [sealed[at : at + _WRAP] for at in range(2, wraps_end, _WRAP)]
    # The first that opens decides: a sender could else make its reader decrypt a large body thousands of times.
    key = next((key for own in keys for wrap in wraps if (key := _unwrapped(own, wrap))), None)
    if key is None:
        raise ViewError("this is not sealed to any key of yours: ask its sender to seal it to your key card")
    view = memoryview(sealed)
    cipher, body = _cipher(key, view[:head_end]), bytearray(len(sealed) - start)
    cipher.decrypt(view[start:], output=body)
    try:
        cipher.verify(sealed[head_end:start])
    except ValueError:
        raise ViewError("this is sealed to you and damaged: ask its sender again") from None
    size = int.from_bytes(body[:_SIZE])
    if _padded(_SIZE + size) != len(body):
        raise ViewError("this is sealed to you and says a wrong size: ask its sender again")
    if most is not None and size > most:
        raise TooLarge(f"sealed data of {size:,} bytes: at most {most:,} are read")
    return bytes(memoryview(body)[_SIZE : _SIZE + size])


def most_sealed(most: int) -> int:
    """Bytes that a sealed file has at most whose data have `most`."""
    return 2 + MOST_READERS * _WRAP + _NONCE + _TAG + _padded(_SIZE + most)


def _cipher(key: bytes, head: bytes | memoryview):  # type: ignore[no-untyped-def]
    cipher = AES.new(key, AES.MODE_GCM, nonce=bytes(head[-_NONCE:]), mac_len=_TAG)
    cipher.update(head)
    return cipher


def _unwrapped(key: EncryptionKey, wrap: bytes) -> bytes | None:
    try:
        content = key.open(wrap)
    except ViewError:
        return None
    return content if len(content) == _KEY else None


def _padded(size: int) -> int:
    """The next size that says little (Padmé, Nikitin et al. 2019): of n bits the first log2(n) may be other than 0."""
    size = max(size, _LEAST)
    bits = size.bit_length() - 1
    step = 1 << (bits - bits.bit_length())
    return -(-size // step) * step
