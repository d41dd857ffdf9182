"""The vectors are what this project's client makes, and what one in JavaScript that shares nothing with it makes."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fl.market.bids import word_count
from fl.members.audit import CONTRIBUTION_POINTS, UPHOLD_WITHIN
from fl.store.keys import EncryptionKey
from fl.store.sealed import open_sealed
from fl.store.signed import Signed, Statement
from fl.store.texts import StationsView
from tests.support.pages import ROOT, Page
from tests.vectors.make import FOLDER, MAKERS, RANDOM, text_of


def _read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _replayed(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(FOLDER / "replay.mjs"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != RANDOM])
def test_vectors__python__makes_them(name: str) -> None:
    made = text_of(MAKERS[name]())
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == made, "write them: `python -m tests.vectors`"


def test_vectors__sealed__opened_by_each_reader() -> None:
    for each in _read(RANDOM)["vectors"]:
        for secret in each["secrets"]:
            key = EncryptionKey(bytes.fromhex(secret[2:]))
            assert open_sealed(bytes.fromhex(each["sealed"][2:]), [key]).hex() == each["data"][2:]


def test_vectors__packing_edges__one_each() -> None:
    vectors = _read("bids")["vectors"]
    sizes = {len(each["bids"]): len(each["words"]) for each in vectors}
    assert {1, 3, 4, 64} <= sizes.keys()
    assert sizes == {models: word_count(models) for models in sizes}


def test_vectors__javascript__makes_the_same() -> None:
    done = _replayed(FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    compared = int(done.stdout.split()[0])
    assert compared > 90, done.stdout


def _hex_leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where an expected value stands that is a hash or encoded bytes."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _hex_leaves(item, (*path, key))
    if isinstance(value, str) and value.startswith("0x") and len(value) > 60:
        yield path


def test_vectors__one_digit_changed_in_each__javascript_finds_all(tmp_path: Path) -> None:
    """So that a replay that compares nothing does not pass."""
    for name in MAKERS:
        document = _read(name)
        *_, path = [("rounds", "order")] if name == "places" else _hex_leaves(document)
        place = document
        for key in path[:-1]:
            place = place[key]
        value = place[path[-1]]
        place[path[-1]] = value[:-1] + ("0" if value[-1] != "0" else "1")
        (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    done = _replayed(tmp_path)
    assert done.returncode == 1
    assert [name for name in MAKERS if f"{name}: " not in done.stderr] == [], "what is changed there is not looked at"


# ── the page that says it in words ──

PAGE = Page(ROOT / "contracts" / "client.md")


def test_page__statements__each_as_it_is_signed() -> None:
    for each in _read("statements")["vectors"]:
        statement = Signed.from_bytes(bytes.fromhex(each["stored"][10:])[: int(each["stored"][2:10], 16)]).statement
        types = [f"{kind} {name}" for name, kind in _fields_of(statement)]
        assert f"`{statement.TYPE}({', '.join(types)})`" in PAGE.text


def _fields_of(statement: Statement) -> list[tuple[str, str]]:
    """Name and type of each, as a wallet shows them."""
    names = [re.sub(r"_(\w)", lambda found: found[1].upper(), each.name) for each in fields(statement)]
    return list(zip(names, ("uint256" if each.type is int else "bytes32" for each in fields(statement)), strict=True))


def test_page__texts_vectors_and_names__all_there() -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", PAGE.text))
    assert {each.name for each in fields(StationsView)} <= named
    assert {f"[`{name}.json`](../tests/vectors/{name}.json)" in PAGE.text for name in MAKERS} == {True}
    assert not PAGE.missing_files()
    for place in ("texts/<digest>", "artefacts/<SHA-256>", "order", "declaration", "aggregation-<globalRound>"):
        assert f"`<account>/rounds/<contract>/<roundId>/{place}`" in PAGE.text
    assert f"within {UPHOLD_WITHIN:,}" in PAGE.text
    assert "of more than five committed stations" in PAGE.text
    assert CONTRIBUTION_POINTS // (2 * UPHOLD_WITHIN) == 5
