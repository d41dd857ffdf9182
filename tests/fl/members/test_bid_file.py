"""A sealed bid as a file: what is written is read again, and nothing else is taken for one."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.market.bids import MAX_BID, MAX_MODELS, SealedBid
from fl.members.bid_file import BidFile, BidFileError

ALICE, CONTRACT = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1", "0x5FbDB2315678afecb367f032d93F642f64180aa3"
FILE = BidFile(31337, CONTRACT, 7, ALICE, bytes(range(32)), SealedBid((12, 0, MAX_BID), b"s" * 32))


@given(
    st.lists(st.integers(0, MAX_BID), max_size=MAX_MODELS),
    st.binary(min_size=32, max_size=32),
    st.integers(1, 2**63 - 1),
)
def test_bid_file__any_bids__read_as_they_were_written(bids: list[int], salt: bytes, number: int) -> None:
    made = BidFile(number, CONTRACT, number, ALICE, salt, SealedBid(tuple(bids), salt))
    assert BidFile.from_bytes(made.to_bytes()) == made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", 2),
        ("chain_id", "31337"),
        ("chain_id", True),
        ("round_id", 0),
        ("contract", CONTRACT.lower()),
        ("account", None),
        ("models", "0x12"),
        ("bids", [12, -1]),
        ("bids", [2**44]),
        ("bids", [1.0]),
        ("bids", [True]),
        ("bids", [0] * (MAX_MODELS + 1)),
        ("salt", "0x" + "00" * 32),
        ("salt", "00" * 31),
        ("more", 1),
    ],
)
def test_bid_file__something_else_in_a_field__refused(name: str, value: Any) -> None:
    changed = {**json.loads(FILE.to_bytes()), name: value}
    with pytest.raises(BidFileError):
        BidFile.from_bytes(json.dumps(changed).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 10_000, b" " * 200_000])
def test_bid_file__no_such_json__refused(data: bytes) -> None:
    with pytest.raises(BidFileError, match="no sealed bid"):
        BidFile.from_bytes(data)


def test_write__file__is_for_its_owner_alone_and_never_in_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "bid.json"
    FILE.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert BidFile.read(path) == FILE
    with pytest.raises(BidFileError, match="is there already"):
        FILE.write(path)
    with pytest.raises(BidFileError, match="No such file"):
        BidFile.read(tmp_path / "none.json")
    with pytest.raises(BidFileError, match="No such file"):
        FILE.write(tmp_path / "none" / "bid.json")
