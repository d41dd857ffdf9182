"""member.yaml: the examples are read, and what is wrong is told by file, key, what it is and what it must be."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from fl.market.terms import GWEI, Role
from fl.members.configuration import _TRAINING, Data, Margins, MemberConfiguration, OwnerPlan, StationPlan
from fl.members.training import NAMED
from fl.training.config import Privacy, Rule, StationConfig
from fl.yaml_file import ConfigurationError

EXAMPLES = Path(__file__).parents[3] / "examples"

Changed = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """An example in which a text is replaced by another."""

    def changed(old: str, new: str, name: str = "owner.yaml") -> Path:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is not once in {name}: this test changes nothing"
        path = tmp_path / name
        path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    return changed


def test_read__example_of_an_owner__everything_that_it_says() -> None:
    read = MemberConfiguration.read(EXAMPLES / "owner.yaml")
    assert (read.role, read.account, read.nodes) == (Role.OWNER, "TEST::1", ("http://127.0.0.1:8545",))
    assert (read.confirmations, read.margins, read.fee_cap, read.alert) == (1, Margins(30), 500 * GWEI, None)
    assert read.most_lock == 400 * GWEI
    assert (read.journal, read.store) == (EXAMPLES / "alice.sqlite", str(EXAMPLES / "store"))
    assert (read.membership, read.contract) == (
        str(EXAMPLES / "membership.json"),
        str(EXAMPLES / "../deployments/31337.json"),
    )
    assert read.data == Data("digits", part=(0, 4))
    plan = read.plan
    assert isinstance(plan, OwnerPlan)
    assert (plan.values, plan.accuracy_exponent, plan.function) == ({"0": 4, "1": 12, "2": 7, "3": 9}, 1, None)
    assert plan.propose is not None
    assert (plan.propose.targets, plan.propose.claimed_accuracy_bps) == (("0", "1", "2"), 8_500)
    assert plan.propose.station == StationConfig(2, 2, 16, 0.1, 0.8)
    assert plan.propose.rule == Rule("trimmed-mean", 1)


def test_read__everything_that_a_text_can_name__is_read(changed: Changed) -> None:
    path = changed(
        "    seed: 1",
        """    seed: 1
    optimizer: AdamW(betas=(0.9, 0.99))
    schedule: StepLR(step_size=5)
    weight_decay: 0.01
    gradient_clip: 1
    loss: cross_entropy(label_smoothing=0.1)
    proximal: 0.1
    augment: true
    precision: bfloat16
    client_bits: 8
    strategy: FedAdam
    edge_rule: trimmed-mean
    edge_tolerate: 1""",
    )
    plan = MemberConfiguration.read(path).plan
    assert isinstance(plan, OwnerPlan) and plan.propose is not None
    given = {
        "optimizer": "AdamW(betas=(0.9, 0.99))",
        "schedule": "StepLR(step_size=5)",
        "weight_decay": 0.01,
        "gradient_clip": 1.0,
        "loss": "cross_entropy(label_smoothing=0.1)",
        "proximal": 0.1,
        "augment": True,
        "precision": "bfloat16",
        "client_bits": 8,
        "rule": Rule("trimmed-mean", 1),
    }
    assert plan.propose.station == replace(StationConfig(2, 2, 16, 0.1, 0.8), **given)
    assert plan.propose.strategy == "FedAdam"
    assert {each.name for each in fields(StationConfig)} & _TRAINING.keys() == set(NAMED) == set(_TRAINING)


def test_read__no_rule__one_that_withstands_wrong_updates(changed: Changed) -> None:
    path = changed("    tolerate: 1 ", "    # tolerate: 1 ")
    path.write_text(path.read_text(encoding="utf-8").replace("    rule: ", "    # rule: "), encoding="utf-8")
    plan = MemberConfiguration.read(path).plan
    assert isinstance(plan, OwnerPlan) and plan.propose is not None
    assert plan.propose.rule == Rule("median")


def test_read__example_of_a_base_station__everything_that_it_says() -> None:
    read = MemberConfiguration.read(EXAMPLES / "base_station.yaml")
    assert (read.role, read.plan, read.data) == (
        Role.BASE_STATION,
        StationPlan(5),
        Data("digits", part=(0, 4), clients=2),
    )


def hiding(changed: Changed, privacy: str) -> Path:
    """The base station's example with that privacy."""
    return changed("# privacy: {clipping_norm: 1, noise_multiplier: 1} ", f"privacy: {privacy} ", "base_station.yaml")


def test_read__privacy_of_clients__is_a_base_stations(changed: Changed) -> None:
    read = MemberConfiguration.read(hiding(changed, "{clipping_norm: 1, noise_multiplier: 2.5}"))
    assert read.data is not None and read.data.privacy == Privacy(1.0, 2.5)
    every = "{clipping_norm: 0.1, noise_multiplier: 1, at: client, delta: 0.001}"
    read = MemberConfiguration.read(hiding(changed, every))
    assert read.data is not None and read.data.privacy == Privacy(0.1, 1.0, "client", 0.001)
    with pytest.raises(ConfigurationError, match="data has privacy, which is what a base station gives its clients"):
        MemberConfiguration.read(changed("part: [0, 4]", f"part: [0, 4]\n  privacy: {every}"))


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        ("{clipping_norm: 1}", "data.privacy.noise_multiplier is missing and must be a number above 0"),
        ("{clipping_norm: 0, noise_multiplier: 1}", "data.privacy.clipping_norm cannot be used: clipping_norm must be"),
        (
            "{clipping_norm: 1, noise_multiplier: 1, at: cloud}",
            'data.privacy.at is "cloud" and must be station or client',
        ),
        ("{clipping_norm: 1, noise_multiplier: 1, delta: 2}", "data.privacy.delta cannot be used: delta must be in"),
        ("{clipping: 1, noise_multiplier: 1}", "did you mean clipping_norm?"),
    ],
)
def test_read__privacy_wrong__says_what_it_must_be(changed: Changed, privacy: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        MemberConfiguration.read(hiding(changed, privacy))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("role: owner", "role: boss", r'role is "boss" and must be owner or base station'),
        ("account: TEST::1 ", "acount: TEST::1 ", "acount is no key that is known here; did you mean account?"),
        ("  - http://127.0.0.1:8545", "  - 127.0.0.1:8545", 'nodes is "127.0.0.1:8545" and must be a list'),
        ("  - http://127.0.0.1:8545", "  []", "nodes is a list of 0 and must be a list of one http address"),
        (
            "  - http://127.0.0.1:8545",
            "  - wss://127.0.0.1:8545",
            'nodes is "wss://127.0.0.1:8545" and must be a list of one http',
        ),
        ("../deployments/31337.json", "nowhere", 'contract is "nowhere" and must be an address, or a path'),
        ("confirmations: 1 ", "confirmations: soon ", 'confirmations is "soon" and must be a number of blocks'),
        ("begin: 30", "begin: -1", 'margins.begin is "-1" and must be seconds before a deadline'),
        ("fee_cap: 500 gwei", "fee_cap: 5 gwie", 'fee_cap is "5 gwie" and must be an amount'),
        ("store: ./store ", "store: s3:/bucket ", 'store is "s3:/bucket" and must be a folder, or an address such as'),
        ("most_lock: 400 gwei", "most_lock: 400 gewi", 'most_lock is "400 gewi" and must be an amount'),
        ("journal: ./alice.sqlite", "journal: s3://a/b", 'journal is "s3://a/b" and must be the path of a file'),
        ('values: {"0": 4,', 'values: {"0": 4.5,', 'plan.values.0 is "4.5" and must be whole gwei'),
        ("accuracy_exponent: 1", "accuracy_exponent: nan", 'plan.accuracy_exponent is "nan" and must be a number'),
        ("claimed_accuracy: 0.85", "claimed_accuracy: 85", 'plan.propose.claimed_accuracy is "85" and must be an'),
        ("global_rounds: 3", "global_rounds: 257", 'plan.propose.global_rounds is "257" and must be 1 … 256'),
        ('["0", "1", "2"]', "[]", "plan.propose.targets is a list of 0 and must be a list of labels"),
        ("learning_rate: 0.1", "learning_rate: -1", "plan.propose.learning_rate cannot be used: learning_rate must"),
        (
            "model: small-cnn",
            "model: my.code:net",
            'plan.propose.model is "my.code:net" and must be the name of an',
        ),
        (
            "seed: 1",
            "optimizer: LBFGS",
            'plan.propose.optimizer is "LBFGS" and must be a name with arguments if need be',
        ),
        ("seed: 1", "optimizer: my.code:make", "code that another names is not imported: choose one of SGD, Adagrad"),
        ("seed: 1", "strategy: SCAFFOLD", "it needs what clients carry, and signed updates do not bring that"),
        ("seed: 1", "client_bits: 17", "plan.propose.client_bits cannot be used: client_bits must be at most 16"),
        ("seed: 1", "augment: 1", 'plan.propose.augment is "1" and must be true or false'),
        ("tolerate: 1", "tolerate: 0", "plan.propose.rule cannot be used: trimmed-mean must tolerate at least 1"),
        ("dataset: digits", "dataset: mnist", 'data.dataset is "mnist" and must be digits or cifar10'),
        ("part: [0, 4]", "part: [4, 4]", "data.part is [4, 4] and must be two whole numbers"),
        ("part: [0, 4]", "part: [1]", "data.part is [1] and must be two whole numbers"),
        ("  # function: my_company", "  function: my_company", "plan.values and function are both given"),
        ('  values: {"0": 4, "1": 12, "2": 7, "3": 9}', "", "plan.values and function are both missing"),
    ],
)
def test_read__one_key_wrong__file_key_what_it_is_and_must_be(changed: Changed, old: str, new: str, said: str) -> None:
    path = changed(old, new)
    with pytest.raises(ConfigurationError, match=re.escape(said)) as refusal:
        MemberConfiguration.read(path)
    assert str(refusal.value).startswith(str(path))


def test_read__function__instead_of_numbers(changed: Changed) -> None:
    numbers = 'values: {"0": 4, "1": 12, "2": 7, "3": 9}'
    read = MemberConfiguration.read(changed(numbers, "function: my_company.plans:value"))
    assert isinstance(read.plan, OwnerPlan)
    assert (read.plan.function, read.plan.values) == ("my_company.plans:value", {})
    for no_path in ("plans", "plans.value", "os:system('x')", "../plans:value"):
        with pytest.raises(ConfigurationError, match=r"plan.function is .* package.module:function"):
            MemberConfiguration.read(changed(numbers, f'function: "{no_path}"'))


@pytest.mark.parametrize("name", ["cifar10", "sklearn:wine", "torchvision:FashionMNIST"])
def test_read__data_of_a_library__is_named_as_there(changed: Changed, name: str) -> None:
    read = MemberConfiguration.read(changed("dataset: digits ", f"dataset: {name} ", "base_station.yaml")).data
    assert read == Data(name, part=(0, 4))


def test_read__data_of_ones_own__have_any_name_and_a_model_that_is_named(changed: Changed) -> None:
    own = "dataset: x-rays\n  function: my_company.data:images\n"
    read = MemberConfiguration.read(changed("dataset: digits\n", own))
    assert read.data == Data("x-rays", part=(0, 4), function="my_company.data:images")
    assert isinstance(read.plan, OwnerPlan) and read.plan.propose is not None
    assert read.plan.propose.model == "small-cnn"
    path = changed("dataset: digits\n", own)
    path.write_text(path.read_text(encoding="utf-8").replace("    model: small-cnn\n", ""), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"model is missing: nothing is known of what suits x-rays"):
        MemberConfiguration.read(path)
    with pytest.raises(ConfigurationError, match=r"data.function is .* package.module:function"):
        MemberConfiguration.read(changed("dataset: digits\n", "dataset: x-rays\n  function: images\n"))


def test_read__addresses__are_not_taken_for_paths(changed: Changed) -> None:
    address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert MemberConfiguration.read(changed("../deployments/31337.json", address)).contract == address
    assert MemberConfiguration.read(changed("store: ./store", "store: s3://bucket/a")).store == "s3://bucket/a"
    assert MemberConfiguration.read(changed("confirmations: 1 ", "confirmations: safe ")).confirmations == "safe"


def test_read__secrets_of_the_store__are_not_shown(changed: Changed) -> None:
    read = MemberConfiguration.read(changed("alert: null", "store_options: {secret: hush, n: 3}"))
    assert read.store_options == {"secret": "hush", "n": 3}
    assert "hush" not in repr(read)


def test_read__no_plan__bids_by_hand(changed: Changed, tmp_path: Path) -> None:
    text = (EXAMPLES / "owner.yaml").read_text(encoding="utf-8")
    path = tmp_path / "owner.yaml"
    path.write_text(text[: text.index("plan:")], encoding="utf-8")
    read = MemberConfiguration.read(path)
    assert (read.plan, read.data) == (None, None)
