"""The members of a simulated round: each with an account, numbers, data and a journal of its own, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from ape.api import AccountAPI
from eth_account.messages import SignableMessage

from fl.crowdfunding.settings import RoundSettings
from fl.crowdfunding.valuations import Valuations, draw
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.membership import MembershipTree
from fl.market.terms import Role
from fl.members.acts import Listed
from fl.members.facts import Facts
from fl.members.journal import Journal
from fl.members.order import Order
from fl.members.owner import OwnerConduct
from fl.members.owner_acts import Owner
from fl.members.plan import by_label, per_label
from fl.members.rounds import Conduct
from fl.members.station_acts import BaseStation
from fl.members.torch_work import Offer, TorchOwner, TorchStation
from fl.store.artefacts import to_chain
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.training.data.dataset import Samples, labels_of, load_dataset
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import load_model, save_model
from fl.training.pilot import forecast_once
from fl.training.seeds import Stream, derive_seed

PILOTS = Path(".cache/pilots")
"""Where forecasts are kept."""


@dataclass(frozen=True)
class Stage:
    """What a round needs beside a chain: the data's labels, every member's numbers, what each model trains on.

    Attributes:
        claims: the accuracy that each proposer expects of its model, 1/10,000.
    """

    settings: RoundSettings
    labels: tuple[str, ...]
    valuations: Valuations
    federations: tuple[Federation, ...]
    claims: tuple[int, ...]

    @classmethod
    def of(cls, settings: RoundSettings) -> "Stage":
        """A model that cannot be trained is noticed here, before anybody locks funds.

        Raises:
            TrainingError: there is one.
        """
        labels = labels_of(settings.dataset, settings.data_dir)
        valuations = draw(settings, labels)
        # Only images that are needed are read.
        whole = load_dataset(settings.dataset, settings.data_dir) if settings.train_images is None else None
        federations = tuple(
            build_federation(settings.training(valuations.targets(owner)), whole) for owner in range(settings.proposals)
        )
        return cls(settings, labels, valuations, federations, _claims(settings, federations))

    def clients_of(self, order: Order, station: int) -> Sequence[Samples]:
        """The images of a base station's clients for an order."""
        return self._of(order.targets).stations[station].clients

    def test_of(self, owner: int, targets: tuple[str, ...]) -> Samples:
        """An owner's test images of these labels."""
        return with_own_data(self._of(targets), owner).dataset.test

    def _of(self, targets: tuple[str, ...]) -> Federation:
        return next(each for each in self.federations if each.config.targets == targets)

    def owner(self, index: int) -> tuple[TorchOwner, OwnerConduct]:
        """What an owner judges by and proposes, and how it goes about the round."""
        offer = None
        if index < len(self.federations):
            federation = self.federations[index]
            settings = replace(federation.config, model=federation.model.name)
            offer = Offer(settings, federation.stations[0].config, self.claims[index])
        test_of = cache(lambda targets: self.test_of(index, targets))
        return TorchOwner(test_of, offer), OwnerConduct(proposes=offer is not None)


def with_own_data(federation: Federation, owner: int) -> Federation:
    """The federation as an owner judges models: by test images of its own, a random half of all."""
    test = federation.dataset.test
    rng = np.random.default_rng(derive_seed(federation.config.seed, Stream.OWN_TEST, owner))
    half = np.sort(rng.permutation(len(test))[: (len(test) + 1) // 2])
    return replace(federation, dataset=replace(federation.dataset, test=test.take(half)))


def _claims(settings: RoundSettings, federations: Sequence[Federation]) -> tuple[int, ...]:
    """Each proposer judges its pilot as an elector judges, by test images of its own, and claims what is then expected.

    That is `(c + 1) / (n + 2)` for c of n images right, whatever one knew before: all of a few right is not 1.
    """
    if settings.pilot is None:
        return (settings.claimed_accuracy_bps,) * len(federations)
    pilots = (
        forecast_once(with_own_data(federation, owner), settings.pilot, PILOTS)
        for owner, federation in enumerate(federations)
    )
    return tuple((pilot.correct + 1) * 10_000 // (pilot.samples + 2) for pilot in pilots)


def members_of(
    stage: Stage,
    market: Market,
    round_id: int,
    tree: MembershipTree,
    accounts: Sequence[AccountAPI],
    folder: Path,
    watcher: Watcher,
) -> tuple[list[Owner], list[BaseStation]]:
    """The members of a round, in the order of the membership list: owners, then base stations.

    Args:
        stage: their numbers and data.
        market: where the round is.
        round_id: the round.
        tree: the membership list.
        accounts: theirs, in its order.
        folder: for the store and the journals.
        watcher: told what they do.
    """
    files = Files(folder / "store")
    journals: list[Journal] = []
    listed: dict[str, Listed] = {}
    names: dict[str, str] = {}
    for entry, account in zip(tree.entries, accounts, strict=True):
        number = sum(each.role is entry.role for each in tree.entries[: len(journals)]) + 1
        name = f"owner {number}" if entry.role is Role.OWNER else f"base station {number}"
        path = folder / "journals" / f"{name.replace(' ', '-')}-round-{round_id}.sqlite"
        path.parent.mkdir(exist_ok=True)
        journal, key = Journal(path, entry.account, market.chain_id, market.address), EncryptionKey.generate()
        journal.keep_key(key.secret)
        card = KeyCard.signed(entry.account, key, partial(_signature, account))
        journals.append(journal)
        listed[entry.account] = Listed(entry.role, card)
        names[entry.account] = name

    def telling(name: str) -> "Telling":
        return Telling(watcher, name, names)

    owners: list[Owner] = []
    stations: list[BaseStation] = []
    for entry, account, journal in zip(tree.entries, accounts, journals, strict=True):
        name, proof = names[entry.account], tree.proof(entry)
        common = (name, account, market, round_id, journal, files, listed)
        if entry.role is Role.OWNER:
            work, conduct = stage.owner(len(owners))
            worth = by_label(stage.valuations.values[len(owners)])
            own = (entry.points, proof, telling(name))
            owners.append(Owner(*common, conduct, *own, worth=worth, work=work))
        else:
            cost = per_label(stage.valuations.costs[len(stations)])
            work_of = TorchStation(stage.clients_of)
            stations.append(BaseStation(*common, Conduct(), 1, proof, telling(name), cost=cost, work=work_of))
    return owners, stations


@dataclass(frozen=True)
class Telling:
    """Tells the watcher what a member does; accounts that it speaks of have their names."""

    watcher: Watcher
    name: str
    names: dict[str, str]

    def __call__(self, what: str) -> None:
        """Tell it."""
        for account, name in self.names.items():
            what = what.replace(account, name)
        self.watcher.did(self.name, what)


def untrained(owner: Owner) -> Callable[[Facts], bytes]:
    """Puts a freshly drawn model into the store, for a winner that reports one; its digest."""

    def put(facts: Facts) -> bytes:
        order = owner.order(facts)
        spec, _ = load_model(owner.global_model(0, facts, order))
        data = save_model(spec, spec.initial_state(order.text.seed + 1))
        cards = [owner.listed[each.account].card for each in facts.committed_owners]
        return to_chain(owner.store.put(data, cards))

    return put


def _signature(account: AccountAPI, message: SignableMessage) -> bytes:
    signature = account.sign_message(message)
    if signature is None:
        raise TypeError("a test account signs what it is given")
    return bytes(signature.encode_rsv())
