"""A round on chain and the members that play it: each with an account, numbers, data and a journal of its own."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ape.api import AccountAPI

from fl.crowdfunding.settings import CREATION_SECONDS, RoundSettings
from fl.crowdfunding.simulated import Stage, Together
from fl.crowdfunding.valuations import terms_of
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.connection import signing
from fl.market.membership import Entry
from fl.market.membership_file import Listed, MembershipList
from fl.market.terms import Role, RoundTerms
from fl.members.acts import Member
from fl.members.facts import Chronicle, Facts
from fl.members.journal import Journal
from fl.members.owner_acts import Owner
from fl.members.plan import by_label, per_label
from fl.members.recording import document
from fl.members.rounds import Conduct
from fl.members.station_acts import BaseStation
from fl.members.work import StationWork
from fl.record.document import RoundDocument
from fl.record.history import RoundRecord
from fl.store.artefacts import to_chain
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import Domain
from fl.training.model.artefact import load_model, save_model


@dataclass(frozen=True)
class Played:
    """A finished round.

    Attributes:
        facts: the chain at its end, as the first owner sees it.
        document: the round as `round.json`.
        escrow_left: wei that the round still holds.
    """

    owners: tuple[Owner, ...]
    base_stations: tuple[BaseStation, ...]
    facts: Facts
    document: RoundDocument
    escrow_left: int

    @property
    def record(self) -> RoundRecord:
        """What the chain's logs say."""
        return self.facts.record


@dataclass(frozen=True)
class Cast:
    """A round and its members, ready to play.

    Attributes:
        terms: of the round.
        owners: the members that propose, bid, judge and pay.
        stations: the members that train.
    """

    market: Market
    terms: RoundTerms
    chronicle: Chronicle
    owners: tuple[Owner, ...]
    stations: tuple[BaseStation, ...]
    stack: ExitStack

    @classmethod
    def of(
        cls, stage: Stage, market: Market, accounts: Sequence[AccountAPI], folder: Path, watcher: Watcher, now: int
    ) -> "Cast":
        """Create a round, with a journal for each member and a store for all.

        Args:
            stage: the members' numbers and data.
            market: a deployment of HCFL.
            accounts: the creator, then an account for each owner and each base station.
            folder: where the store and the journals are kept.
            watcher: told what members do.
            now: Unix time of the chain.

        Raises:
            MarketError: the contract refused it.
        """
        creator, *members = accounts
        settings = stage.settings
        listed, journals = listing(stage, market, creator, members, folder)
        terms = terms_of(settings, stage.labels, now + CREATION_SECONDS)
        round_id = market.create_round(creator, terms, listed.root)
        stack = ExitStack()
        for journal in journals:
            stack.enter_context(journal)
        common = (stage, market, round_id, listed, members, journals, folder, watcher)
        owners, stations = members_of(*common, Together(stage, settings.workers, stack))
        return cls(market, terms, Chronicle(market, round_id), tuple(owners), tuple(stations), stack)

    @property
    def members(self) -> Sequence[Member]:
        """Owners, then base stations."""
        return (*self.owners, *self.stations)

    def close(self) -> None:
        """End the workers, and let go of the journals."""
        self.stack.close()

    def played(self) -> Played:
        """The round, once it is finished, judged by its winner."""
        facts = self.chronicle.facts(self.owners[0].address)
        owners = {owner.address: owner for owner in self.owners}
        texts = [owners[model.proposer].texts() for model in facts.record.models]
        judge = owners.get(facts.record.winner or "", self.owners[0])
        made = document(judge, facts, self.market, self.chronicle.events, [*texts])
        return Played(self.owners, self.stations, facts, made, self.market.round_state(facts.round_id).escrow)


def names_of(settings: RoundSettings) -> list[str]:
    """What the members are called: owners, then base stations."""
    owners, stations = range(1, settings.owners + 1), range(1, settings.base_stations + 1)
    return [*(f"owner {number}" for number in owners), *(f"base station {number}" for number in stations)]


def listing(
    stage: Stage, market: Market, creator: AccountAPI, accounts: Sequence[AccountAPI], folder: Path
) -> tuple[MembershipList, list[Journal]]:
    """The membership list, made by the round's creator, and a journal for each member, with its key.

    Args:
        stage: the members' points.
        market: the deployment.
        creator: signs the list.
        accounts: the owners', then the base stations'.
        folder: for the journals.
    """
    settings, domain = stage.settings, Domain(market.chain_id, market.address)
    roles = [Role.OWNER] * settings.owners + [Role.BASE_STATION] * settings.base_stations
    points = [*stage.valuations.owner_points, *[1] * settings.base_stations]
    (folder / "journals").mkdir(exist_ok=True)
    journals, members = [], []
    for name, account, role, each in zip(names_of(settings), accounts, roles, points, strict=True):
        address = str(account.address)
        path = folder / "journals" / f"{name.replace(' ', '-')}.sqlite"
        journal, key = Journal(path, address, market.chain_id, market.address), EncryptionKey.generate()
        journal.keep_key(key.secret)
        journals.append(journal)
        members.append(Listed(Entry(address, role, each), KeyCard.signed(address, key, signing(account)), name))
    made = MembershipList.made(domain, members, str(creator.address), signing(creator))
    return made, journals


def members_of(
    stage: Stage,
    market: Market,
    round_id: int,
    listed: MembershipList,
    accounts: Sequence[AccountAPI],
    journals: Sequence[Journal],
    folder: Path,
    watcher: Watcher,
    work: StationWork,
) -> tuple[list[Owner], list[BaseStation]]:
    """The members of a round.

    Args:
        stage: their numbers and data.
        market: where the round is.
        round_id: the round.
        listed: the membership list.
        accounts: theirs, in its order.
        journals: the same.
        folder: for the store.
        watcher: told what they do.
        work: the base stations' training.
    """
    names = {each.entry.account: each.name for each in listed.members}
    owners: list[Owner] = []
    stations: list[BaseStation] = []
    for line, account, journal in zip(listed.members, accounts, journals, strict=True):
        common = (line.name, account, market, round_id, journal, Files(folder / "store"), listed)
        rest = (line.entry.points, listed.tree.proof(line.entry), Telling(watcher, line.name, names))
        if line.entry.role is Role.OWNER:
            own, conduct = stage.owner(len(owners))
            worth = by_label(stage.valuations.values[len(owners)])
            owners.append(Owner(*common, conduct, *rest, worth=worth, work=own))
        else:
            cost = per_label(stage.valuations.costs[len(stations)])
            stations.append(BaseStation(*common, Conduct(), *rest, cost=cost, work=work))
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
        return to_chain(owner.store.put(data, owner.listed.cards(Role.OWNER)))

    return put
