"""What members leave for each other under names that their readers know.

    <account>/rounds/<contract>/<round>/texts/<digest>      a text of a proposal, by its digest on chain
    <account>/rounds/<contract>/<round>/<name>              order, declaration, aggregation-<g>

A member writes under its own account only. Nothing here is trusted: what is left is signed, texts are held against the
digests on chain.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from fl.store import texts
from fl.store.errors import Missing, TooLarge, ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.sealed import most_sealed, open_sealed, seal

_V = TypeVar("_V")


def round_folder(account: str, contract: str, round_id: int) -> str:
    """Where all lies that an account leaves for a round."""
    return f"{account}/rounds/{contract}/{round_id}"


def send(files: Files, folder: str, digest: bytes, text: bytes, cards: Sequence[KeyCard]) -> None:
    """Leave a text of a proposal for one side, before its digest goes on chain.

    Args:
        files: where.
        folder: the proposer's, of the round.
        digest: of the text, 32 bytes, as it will be on chain.
        text: as `to_bytes` of a view makes it.
        cards: of every listed member of the side: one may join after the proposal.
    """
    leave(files, folder, _text_name(digest), text, cards)


def read(
    files: Files,
    folder: str,
    digest: bytes,
    own: Sequence[EncryptionKey],
    parse: Callable[[bytes], _V],
    digest_of: Callable[[_V], bytes],
) -> _V:
    """A text of a proposal, checked against its digest on chain.

    Args:
        files: where it was left.
        folder: the proposer's, of the round.
        digest: on chain, 32 bytes.
        own: every key that the reader ever had.
        parse: reads the text, as `OwnersView.from_bytes` does.
        digest_of: what the digest must be if this was proposed.

    Raises:
        ViewError: there is none, or it is not what was proposed; it names the proposer.
        Unreachable: the store did not answer, which is not the proposer's fault.
    """
    try:
        view = parse(take(files, folder, _text_name(digest), own, texts.MOST_BYTES))
        if digest_of(view) != digest:
            raise ViewError("it is not the one proposed")
    except (Missing, TooLarge, ViewError) as error:
        said = "it has not been sent" if isinstance(error, Missing) else error
        raise ViewError(f"the text of {folder.partition('/')[0]}'s proposal cannot be used: {said}") from error
    return view


def leave(files: Files, folder: str, name: str, data: bytes, cards: Sequence[KeyCard]) -> None:
    """Leave something for the holders of key cards.

    Raises:
        ViewError: a card is not signed by its account.
        StoreError: it cannot be stored.
    """
    files.write(f"{folder}/{name}", seal(data, cards))


def take(files: Files, folder: str, name: str, own: Sequence[EncryptionKey], most: int) -> bytes:
    """What a member left, opened.

    Args:
        files: where it was left.
        folder: of who left it.
        name: in that folder.
        own: every key that the reader ever had.
        most: bytes that it may have.

    Raises:
        Missing: there is nothing.
        TooLarge: it has more bytes.
        ViewError: it is not sealed to any of the keys, or damaged.
        Unreachable: the store did not answer.
    """
    return open_sealed(files.read(f"{folder}/{name}", most_sealed(most)), own, most)


def _text_name(digest: bytes) -> str:
    return f"texts/{digest.hex()}"
