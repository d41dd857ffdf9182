"""What proposals tell each side: read back as they were, bound by their digests, refused in one line if odd."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.store.errors import ViewError
from fl.store.texts import DEFAULTS, MOST_BYTES, OwnersView, StationsView, decimal_of
from tests.fl.store.support import ALICE, BOB, CONTRACT

STATIONS = StationsView(
    "cnn",
    "cifar10",
    3,
    1_000,
    5,
    2,
    1,
    batch_size=25,
    learning_rate="0.05",
    momentum="0.9",
    seed=2**63,
    rule="mean",
    tolerate=0,
    salt="ab" * 32,
    weight_limit=4,
    edge_rule="mean",
    edge_tolerate=0,
)
OWNERS = OwnersView(9_000, ("cat", "dog"), "cd" * 32)


# ── there and back ──


@given(
    bps=st.integers(0, 10_000),
    targets=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=5),
)
def test_owners_view__read_back__is_the_same(bps: int, targets: list[str]) -> None:
    view = OwnersView(bps, tuple(targets))
    assert OwnersView.from_bytes(view.to_bytes()) == view


def test_stations_view__read_back__same_digest() -> None:
    read = StationsView.from_bytes(STATIONS.to_bytes())
    assert (read, read.digest) == (STATIONS, STATIONS.digest)
    assert replace(STATIONS, salt="00" * 32).digest != STATIONS.digest, "the salt must differ"


def test_stations_view__as_json__has_no_number_that_a_reader_may_round() -> None:
    """The bytes that another language has to make, to find the same digest."""
    assert replace(STATIONS, salt="ab" * 32).to_bytes() == (
        b'{"batch_size":25,"dataset":"cifar10","edge_aggregations":1,"edge_rule":"mean","edge_tolerate":0,'
        b'"global_rounds":5,"initial_model":"",'
        b'"label_count":3,"learning_rate":"0.05","local_epochs":2,"model":"cnn","momentum":"0.9","parameters":1000,'
        b'"rule":"mean","salt":"' + b"ab" * 32 + b'","seed":"9223372036854775808","tolerate":0,"weight_limit":4}'
    )


NAMED: dict[str, Any] = {
    "optimizer": "AdamW(betas=(0.9, 0.99))",
    "schedule": "StepLR(step_size=5)",
    "weight_decay": "0.01",
    "gradient_clip": "1",
    "loss": "cross_entropy(label_smoothing=0.1)",
    "proximal": "0.1",
    "augment": True,
    "precision": "bfloat16",
    "client_bits": 8,
    "strategy": "FedAdam(tau=0.01)",
}


@given(st.sets(st.sampled_from(sorted(NAMED))))
def test_stations_view__whatever_it_names__has_what_is_no_default_and_is_read_back(names: set[str]) -> None:
    view = replace(STATIONS, **{name: NAMED[name] for name in names})
    document = json.loads(view.to_bytes())
    assert {name: document[name] for name in NAMED.keys() & document} == {name: NAMED[name] for name in names}
    assert StationsView.from_bytes(view.to_bytes()) == view
    assert {name: view.training.get(name) for name in names} == {name: NAMED[name] for name in names}
    assert not {"salt", "model", "dataset"} & view.training.keys()


@pytest.mark.parametrize("name", NAMED)
def test_stations_view__that_says_a_default__is_refused(name: str) -> None:
    """There is one way to say it: so equal trainings are equal texts, and those of before stay texts."""
    assert set(DEFAULTS) == set(NAMED)
    document = {**json.loads(STATIONS.to_bytes()), name: DEFAULTS[name]}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    with pytest.raises(ViewError, match=f"{name} is .*, which is said by leaving it out"):
        StationsView.from_bytes(text.encode())


def test_owners_view__digest__binds_everything() -> None:
    view = OWNERS
    digest = view.digest(1, CONTRACT, 1, ALICE.address)
    others = [
        view.digest(2, CONTRACT, 1, ALICE.address),
        view.digest(1, ALICE.address, 1, ALICE.address),
        view.digest(1, CONTRACT, 2, ALICE.address),
        view.digest(1, CONTRACT, 1, BOB.address),
        OwnersView(9_001, view.targets, view.salt).digest(1, CONTRACT, 1, ALICE.address),
        OwnersView(9_000, ("cat",), view.salt).digest(1, CONTRACT, 1, ALICE.address),
        OwnersView(9_000, view.targets).digest(1, CONTRACT, 1, ALICE.address),
    ]
    assert digest not in others


# ── decimals ──


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_decimal__any_rate__float_reads_it_back_exactly(rate: float) -> None:
    assert float(decimal_of(rate)) == rate


@pytest.mark.parametrize(
    ("number", "text"), [(0.1, "0.1"), (0.0, "0"), (1e-05, "0.00001"), (1.0, "1"), (100.0, "100"), (0.05, "0.05")]
)
def test_decimal__number__has_one_form(number: float, text: str) -> None:
    assert decimal_of(number) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.1, -0.0, 1e-300, 1e300])
def test_decimal__no_such_form__refused(number: float) -> None:
    with pytest.raises(ViewError, match="cannot be written as a decimal"):
        decimal_of(number)


# ── what anybody may send ──


@given(st.binary(max_size=300))
def test_texts__any_bytes__are_refused_in_one_line(data: bytes) -> None:
    for read in (OwnersView.from_bytes, StationsView.from_bytes):
        with pytest.raises(ViewError) as refused:
            read(data)
        assert "\n" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_texts__any_value_in_a_field__is_a_text_or_refused_in_one_line(data: st.DataObject) -> None:
    view: OwnersView | StationsView = data.draw(st.sampled_from((OWNERS, STATIONS)))
    document = json.loads(view.to_bytes())
    document[data.draw(st.sampled_from(sorted(document)))] = data.draw(JSON)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    try:
        read = type(view).from_bytes(text)
    except ViewError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
    else:
        assert read.to_bytes() == text


def edited(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: {**document, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": []},
        {"targets": "cat"},
        {"targets": {"cat": 1}},
        {"targets": [1]},
        {"targets": ["cat", None]},
        {"claimed_accuracy_bps": True},
        {"claimed_accuracy_bps": "9000"},
        {"claimed_accuracy_bps": -1},
        {"claimed_accuracy_bps": 2**16},
        {"salt": "AB" * 32},
        {"salt": "ab" * 31},
        {"salt": "ab" * 32 + "\n"},
        {"salt": None},
    ],
    ids=repr,
)
def test_owners_view__field_of_another_form__refused(changes: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(OWNERS.to_bytes()), **changes}, sort_keys=True, separators=(",", ":"))
    with pytest.raises(ViewError, match=r"claimed accuracy|target labels|salt"):
        OwnersView.from_bytes(text.encode())


@pytest.mark.parametrize(
    "changes",
    [
        *({name: 0} for name in ("label_count", "parameters", "global_rounds", "local_epochs", "batch_size")),
        {"edge_aggregations": True},
        {"edge_aggregations": 2**53 + 1},
        {"tolerate": -1},
        {"model": 5},
        {"rule": None},
        *(
            {"learning_rate": rate}
            for rate in ("0.050", ".05", "5e-2", "-1", "nan", "", "00.5", "1.", 1, "0." + "1" * 40)
        ),
        {"momentum": "0.9\n"},
        *({name: 1} for name in ("optimizer", "schedule", "loss", "precision", "strategy", "augment")),
        *({name: "1e-3"} for name in ("weight_decay", "gradient_clip", "proximal")),
        {"client_bits": -1},
        {"client_bits": True},
        *({"seed": seed} for seed in (1, "-1", "01", "1e3", "", "１", "9" * 79)),
        {"salt": 5},
    ],
    ids=repr,
)
def test_stations_view__field_of_another_form__refused(changes: dict[str, Any]) -> None:
    document = {**json.loads(STATIONS.to_bytes()), **changes}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    with pytest.raises(ViewError, match=f"{next(iter(changes))} is "):
        StationsView.from_bytes(text.encode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[1,2]", "no object"),
        (b"null", "no object"),
        (b"{}", "has the fields"),
        (b"[" * 100_000, "bytes"),
        (b"[" * 10_000, "brackets"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "has the fields"),
        (b'{"a":' + b"9" * 5_000 + b"}", "no JSON"),
        (b'{"a":NaN}', "no JSON"),
        (b'{"a":1.0}', "no JSON"),
        (b'{"a":"\xff"}', "no JSON"),
        (b'{"a":"\\ud800"}', "no Unicode"),
        (OWNERS.to_bytes() + b" ", "canonical"),
        (b"\xef\xbb\xbf" + OWNERS.to_bytes(), "no JSON"),
        (OWNERS.to_bytes().decode().encode("utf-16"), "no JSON"),
        (OWNERS.to_bytes().replace(b'"salt"', b'"claimed_accuracy_bps":1,"salt"'), "canonical"),
        (OWNERS.to_bytes().replace(b'"cat"', b'"c\\u0061t"'), "canonical"),
        (STATIONS.to_bytes(), "has the fields"),
        (b" " * (MOST_BYTES + 1), "at most 65,536"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_text__of_another_form__refused_with_the_reason(text: bytes, said: str) -> None:
    with pytest.raises(ViewError, match=said):
        OwnersView.from_bytes(text)


@pytest.mark.parametrize("targets", [("x" * MOST_BYTES,), ("[" * 101,), ("\ud800",), ["cat"]])
def test_owners_view__that_nobody_could_read__is_not_made(targets: Any) -> None:
    with pytest.raises(ViewError):
        OwnersView(9_000, targets)


def test_stations_view__seed_that_is_no_integer__is_not_made() -> None:
    """It would be read back as another value than it was made of."""
    for seed in ("5", True, 5.0, -1):
        with pytest.raises(ViewError, match="the seed is"):
            replace(STATIONS, seed=seed)  # type: ignore[arg-type]
