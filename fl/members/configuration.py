"""What a member tells its commands once: `member.yaml`, read strictly, paths relative to the file.

Nothing in it is secret but what `store_options` may hold: the account's key stays in ape's key files, the member's
encryption keys in its journal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eth_utils import is_address

from fl.market.bids import MAX_BID
from fl.market.terms import GWEI, ROLES, Role
from fl.market.terms_file import AMOUNT, wei_of
from fl.training.config import DEFAULTS, NOISE_AT, RULES, Privacy, Rule, StationConfig
from fl.training.errors import TrainingError
from fl.training.offered import OFFERED, check_named
from fl.yaml_file import Parse, Reason, Section, number, one_of, read_yaml, text, whole

SAFE = "safe"
"""Instead of a number of confirmations: until the node calls the block safe."""

_KEYS = (
    "nodes",
    "contract",
    "account",
    "role",
    "store",
    "store_options",
    "journal",
    "membership",
    "confirmations",
    "margins",
    "fee_cap",
    "most_lock",
    "alert",
    "plan",
    "data",
)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_OF_A_LIBRARY = re.compile(r"(sklearn|torchvision):\w+")
_MOST = 2**31 - 1


@dataclass(frozen=True)
class Margins:
    """What a member leaves room for.

    Attributes:
        begin: seconds before a deadline that are kept for what must be recorded by then.
    """

    begin: int = 30


@dataclass(frozen=True)
class Data:
    """The images that a member has: a base station's to train on, an owner's to judge by.

    Attributes:
        dataset: by the name that proposals give it.
        data_dir: a folder to read it from; None: the data set's own place.
        function: of the member's own that returns its images; None: those that the library has by that name.
        part: (i, n): the part i, from 0, of n; None: all of it.
        clients: among which a base station divides it.
        privacy: that a base station gives its clients; None: none.
    """

    dataset: str
    data_dir: Path | None = None
    part: tuple[int, int] | None = None
    clients: int = 2
    privacy: Privacy | None = None
    function: str | None = None


@dataclass(frozen=True)
class ModelPlan:
    """A model that an owner proposes, m(ω, M, acc, t, y) (paper, section III-C.3).

    Attributes:
        targets: the target labels y.
        claimed_accuracy_bps: the accuracy that it promises, 1/10,000.
        model: name of the architecture; None: what suits the data set.
        global_rounds: t.
        seed: of the initial model and of every order of images.
        station: how a base station trains one global round.
        rule: how the base stations' models are combined.
        strategy: what becomes of the combined model.
    """

    targets: tuple[str, ...]
    claimed_accuracy_bps: int
    model: str | None
    global_rounds: int
    seed: int
    station: StationConfig
    rule: Rule
    strategy: str = "FedAvg"


@dataclass(frozen=True)
class OwnerPlan:
    """What models are worth to an owner, v(acc, y), and what it proposes.

    Attributes:
        values: gwei that each label is worth to it in a model that is never wrong.
        accuracy_exponent: e in Σ values · acc^e.
        function: "package.module:function", its own code that says so instead of the two above.
        propose: its model; None: it proposes none.
    """

    values: Mapping[str, int] = field(default_factory=dict)
    accuracy_exponent: float = 1.0
    function: str | None = None
    propose: ModelPlan | None = None


@dataclass(frozen=True)
class StationPlan:
    """What training costs a base station, k(ω, t, M).

    Attributes:
        cost_per_label: gwei for each label that a model tells apart.
        function: "package.module:function", its own code that says so instead.
    """

    cost_per_label: int = 0
    function: str | None = None


@dataclass(frozen=True)
class MemberConfiguration:
    """A member's `member.yaml`.

    Attributes:
        path: of the file.
        nodes: addresses of nodes, in the order of preference.
        contract: its address, or the path of its deployment's record.
        account: ape's alias; or an address, whose key is in a wallet.
        store: address of the store, a folder's path or a URL.
        store_options: for the library that opens the store.
        journal: path of the journal.
        membership: path of the membership list, or its address in a store (`store_options` hold for that, too).
        confirmations: blocks until what others have done counts as final, or `SAFE`; bids and reveals wait for it.
        margins: what it leaves room for.
        fee_cap: wei a gas that are never exceeded.
        most_lock: wei that are locked in a round at most; None: what the terms of a round that is there ask for.
        alert: a command that is run with a message when the member cannot act in time.
        plan: the member's own numbers; None: it bids by hand.
    """

    path: Path
    nodes: tuple[str, ...]
    contract: str
    account: str
    role: Role
    store: str
    journal: Path
    membership: str
    store_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    confirmations: int | str = 1
    margins: Margins = Margins()
    fee_cap: int = 500 * GWEI
    most_lock: int | None = None
    alert: str | None = None
    plan: OwnerPlan | StationPlan | None = None
    data: Data | None = None

    @classmethod
    def read(cls, path: Path) -> "MemberConfiguration":
        """Read a file.

        Raises:
            ConfigurationError: a key is missing, unknown or not what it must be.
        """
        top = read_yaml(path).only(*_KEYS)
        nodes = "a list of one http address or more, as in [http://127.0.0.1:8545]"
        if not (urls := top.items("nodes", _url, nodes)):
            raise top.error("nodes", f"is {top.shown('nodes')} and must be {nodes}")
        role = top.take("role", one_of(ROLES), " or ".join(ROLES))
        folder = path.parent
        data = _data(top, folder)
        if data is not None and data.privacy is not None and role is Role.OWNER:
            raise top.error("data", "has privacy, which is what a base station gives its clients")
        return cls(
            path=path,
            nodes=urls,
            contract=_beside(folder, top.take("contract", _contract, "an address, or a path as deployments/1.json")),
            account=top.take("account", text, "the alias of one of ape's accounts"),
            role=role,
            store=_beside(folder, top.take("store", _store, "a folder, or an address such as s3://bucket/path")),
            journal=folder / top.take("journal", _path, "the path of a file, as ./alice.sqlite"),
            membership=_beside(folder, top.take("membership", text, "the path or the address of the membership list")),
            store_options=top.plain("store_options"),
            confirmations=_confirmations(top),
            margins=_margins(top),
            fee_cap=top.take_or("fee_cap", wei_of, AMOUNT, 500 * GWEI),
            most_lock=top.take_or("most_lock", wei_of, AMOUNT, None),
            alert=top.take_or("alert", text, "a command", None),
            plan=(_owner if role is Role.OWNER else _station)(top, data),
            data=data,
        )


def _url(scalar: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", scalar):
        raise ValueError
    return scalar


def _contract(scalar: str) -> str:
    if not is_address(scalar) and not scalar.endswith(".json"):
        raise ValueError
    return scalar


def _path(scalar: str) -> str:
    if not scalar.strip() or "://" in scalar or scalar.endswith("/"):
        raise ValueError
    return scalar


def _store(scalar: str) -> str:
    if "://" not in scalar and re.match(r"[a-z0-9]{2,}:", scalar):  # s3:/bucket would be a folder
        raise ValueError
    return text(scalar)


def _beside(folder: Path, address: str) -> str:
    """A path is relative to the file that names it; addresses are not paths."""
    return address if "://" in address or is_address(address) else str(folder / address)


def _confirmations(top: Section) -> int | str:
    def parse(scalar: str) -> int | str:
        return SAFE if scalar == SAFE else whole(0, 10_000)(scalar)

    default: int | str = 1
    return top.take_or("confirmations", parse, f"a number of blocks, 0 … 10,000, or {SAFE}", default)


def _function(scalar: str) -> str:
    if not _FUNCTION.fullmatch(scalar):
        raise ValueError
    return scalar


def _dataset(scalar: str) -> str:
    if scalar not in DEFAULTS and not _OF_A_LIBRARY.fullmatch(scalar):
        raise ValueError
    return scalar


def _bps(scalar: str) -> int:
    return round(number(0, 1)(scalar) * 10_000)


def _margins(top: Section) -> Margins:
    section = top.section("margins")
    if section is None:
        return Margins()
    section.only("begin")
    return Margins(section.take_or("begin", whole(0, 86_400), "seconds before a deadline, 0 … 86,400", Margins.begin))


def _data(top: Section, folder: Path) -> Data | None:
    section = top.section("data")
    if section is None:
        return None
    section.only("dataset", "data_dir", "part", "clients", "function", "privacy")
    function = section.take_or("function", _function, "a function of your own, as package.module:function", None)
    must = "two whole numbers, [i, n]: the part i, from 0, of n"
    part = section.items("part", whole(0, _MOST), must)
    if part and (len(part) != 2 or not part[0] < part[1]):
        raise section.error("part", f"is {list(part)} and must be {must}")
    return Data(
        dataset=section.take(
            "dataset", _dataset if function is None else text, f"{' or '.join(DEFAULTS)}, sklearn:… or torchvision:…"
        ),
        data_dir=section.take_or("data_dir", lambda scalar: folder / text(scalar), "the path of a folder", None),
        part=(part[0], part[1]) if part else None,
        clients=section.take_or("clients", whole(1, 10_000), "a number of clients, 1 … 10,000", 2),
        privacy=_privacy(section.section("privacy")),
        function=function,
    )


def _privacy(section: Section | None) -> Privacy | None:
    if section is None:
        return None
    section.only("clipping_norm", "noise_multiplier", "at", "delta")
    at = section.take_or("at", one_of({name: name for name in NOISE_AT}), " or ".join(NOISE_AT), Privacy.at)
    norm, multiplier = (section.take(key, float, "a number above 0") for key in ("clipping_norm", "noise_multiplier"))
    delta = section.take_or("delta", float, "a number, 0 … 1", Privacy.delta)
    try:
        return Privacy(norm, multiplier, at, delta)
    except TrainingError as error:
        raise section.error(str(error).split()[0], f"cannot be used: {error}") from error


def _plan(top: Section, *known: str) -> tuple[Section, str | None] | None:
    section = top.section("plan")
    if section is None:
        return None
    section.only(*known)
    function = section.take_or("function", _function, "a function of your own, as package.module:function", None)
    return section, function


def _either(section: Section, function: str | None, numbers: str) -> None:
    if (function is None) == (numbers not in section.keys):
        both = "are both given" if function else "are both missing"
        raise section.error(numbers, f"and function {both}: one of them says what models are worth or cost")


def _owner(top: Section, data: Data | None) -> OwnerPlan | None:
    if (found := _plan(top, "values", "accuracy_exponent", "function", "propose")) is None:
        return None
    section, function = found
    _either(section, function, "values")
    values = section.section("values")
    gwei = f"whole gwei, 0 … {MAX_BID:,}"
    return OwnerPlan(
        values={} if values is None else {key: values.take(key, whole(0, MAX_BID), gwei) for key in values.keys},
        accuracy_exponent=section.take_or("accuracy_exponent", number(0, 100), "a number, 0 … 100", 1.0),
        function=function,
        propose=_model(section.section("propose"), data),
    )


def _station(top: Section, data: Data | None) -> StationPlan | None:
    if (found := _plan(top, "cost_per_label", "function")) is None:
        return None
    section, function = found
    _either(section, function, "cost_per_label")
    cost = section.take_or("cost_per_label", whole(0, MAX_BID), f"whole gwei, 0 … {MAX_BID:,}", 0)
    return StationPlan(cost, function)


def _named(setting: str) -> Parse[str]:
    """Something that is offered to others (`fl.training.offered`)."""

    def parse(scalar: str) -> str:
        try:
            check_named(setting, scalar)
        except TrainingError as error:
            raise Reason(str(error)) from error
        return scalar

    return parse


_NAME = "a name with arguments if need be, as AdamW(eps=0.0001)"
_TRAINING: dict[str, tuple[Parse[Any], str]] = {
    **{name: (whole(1, _MOST), "a number") for name in ("local_epochs", "edge_aggregations", "batch_size")},
    **dict.fromkeys(("learning_rate", "momentum", "weight_decay", "gradient_clip", "proximal"), (float, "a number")),
    **{name: (_named(name), _NAME) for name in ("optimizer", "schedule", "loss")},
    "augment": (one_of({"true": True, "false": False}), "true or false"),
    "precision": (_named("precision"), " or ".join(OFFERED["precision"])),
    "client_bits": (whole(2, _MOST), "a number of bits"),
}
"""How each of the settings that a text can name (`fl.members.training.NAMED`) stands in member.yaml."""


def _model(section: Section | None, data: Data | None) -> ModelPlan | None:
    if section is None:
        return None
    rules = ("rule", "tolerate", "edge_rule", "edge_tolerate")
    section.only("targets", "claimed_accuracy", "model", "global_rounds", "seed", *rules, "strategy", *_TRAINING)
    labels = "a list of labels"
    if not (targets := section.items("targets", text, labels)):
        raise section.error("targets", f"is {section.shown('targets')} and must be {labels}")
    given: dict[str, Any] = {
        key: section.take(key, parse, must) for key, (parse, must) in _TRAINING.items() if key in section.keys
    }
    known = None if data is None else DEFAULTS.get(data.dataset)
    default = StationConfig() if known is None else known.station
    if data is not None and known is None and "model" not in section.keys:
        raise section.error("model", f"is missing: nothing is known of what suits {data.dataset}")
    combined = _rule(section, "rule", "tolerate", "median")
    edge = _rule(section, "edge_rule", "edge_tolerate", default.rule.name)
    try:
        station = replace(default, rule=edge, **given)
    except TrainingError as error:
        key = str(error).split()[0]
        raise section.error(key if key in _TRAINING else "rule", f"cannot be used: {error}") from error
    return ModelPlan(
        targets=targets,
        claimed_accuracy_bps=section.take("claimed_accuracy", _bps, "an accuracy, 0 … 1"),
        model=section.take_or("model", _named("model"), "the name of an architecture", None),
        global_rounds=section.take("global_rounds", whole(1, 256), "1 … 256"),
        seed=section.take_or("seed", whole(0, _MOST), f"a whole number, 0 … {_MOST:,}", 0),
        station=station,
        rule=combined,
        strategy=section.take_or("strategy", _named("strategy"), _NAME, "FedAvg"),
    )


def _rule(section: Section, name: str, tolerate: str, default: str) -> Rule:
    rule = section.take_or(name, one_of({each: each for each in RULES}), " or ".join(RULES), default)
    try:
        return Rule(rule, section.take_or(tolerate, whole(0, _MOST), "a number of wrong models", 0))
    except TrainingError as error:
        raise section.error(name, f"cannot be used: {error}") from error
