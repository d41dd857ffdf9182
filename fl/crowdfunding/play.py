"""Plays a round, phase by phase, in the order of the protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ape.api import AccountAPI

from fl.artefacts import ArtefactStore, to_chain
from fl.crowdfunding.clock import Clock
from fl.crowdfunding.settings import Misbehaviour, RoundSettings
from fl.crowdfunding.training import Training, measure, train
from fl.crowdfunding.valuations import Valuations, draw, terms_of
from fl.crowdfunding.watcher import Watcher
from fl.market.client import Market
from fl.market.history import RoundRecord, rebuild
from fl.market.mailbox import Mailbox
from fl.market.members import BaseStation, Member, Owner
from fl.market.membership import Entry, tree_of
from fl.market.terms import GWEI, Role, Status
from fl.market.views import OwnersView, StationsView
from fl.training.contribution import contribution_points
from fl.training.data import labels_of, load_dataset
from fl.training.federation import Federation, build_federation


@dataclass(frozen=True)
class Played:
    """A finished round.

    Attributes:
        record: what the chain's logs say.
        targets: target labels of each model.
        claims: claimed accuracy of each model, 1/10,000.
        training: None where nothing was trained.
        before: each member's balance before it joined, free and locked, wei.
        after: the same at the end.
        rebates: what the round recycles to each member.
        escrow_left: wei that the round still holds.
    """

    owners: tuple[Owner, ...]
    base_stations: tuple[BaseStation, ...]
    record: RoundRecord
    targets: tuple[tuple[str, ...], ...]
    claims: tuple[int, ...]
    federation: Federation | None
    training: Training | None
    before: dict[str, int]
    after: dict[str, int]
    rebates: dict[str, int]
    escrow_left: int


@dataclass(frozen=True)
class Stage:
    """What a round needs beside a chain: the data's labels, every member's numbers, what each model trains on."""

    labels: tuple[str, ...]
    valuations: Valuations
    federations: tuple[Federation, ...]

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
        federations = (
            build_federation(settings.training(valuations.targets(owner)), whole) for owner in range(settings.proposals)
        )
        return cls(labels, valuations, tuple(federations))


class Play:
    """One round in the making.

    Args:
        stage: of these settings.
        market: a deployment of HCFL.
        accounts: the creator, then an account for each owner and each base station.
        folder: where the artefacts and the mailbox are kept.
    """

    def __init__(
        self,
        settings: RoundSettings,
        stage: Stage,
        market: Market,
        accounts: Sequence[AccountAPI],
        clock: Clock,
        folder: Path,
        watcher: Watcher,
    ):
        self.settings = settings
        self.market = market
        self.creator, *self.accounts = accounts
        self.clock = clock
        self.store = ArtefactStore(folder / "artefacts")
        self.mailbox = Mailbox(folder / "mailbox")
        self.watcher = watcher
        self.labels = stage.labels
        self.valuations = stage.valuations
        self.federations = stage.federations

    def run(self) -> Played:
        """Play every phase.

        Raises:
            MarketError: the contract refused a call.
            TrainingError: training failed.
        """
        self._create()
        before = self._fund_and_join()
        self._propose()
        self._commit()
        self._reveal()
        training = None
        if self._select() is Status.TRAINING:
            training = self._train()
            self._report(training)
            self._vote(training)
        rebates = self._settle()
        return self._finish(training, before, rebates)

    # ── the phases ──

    def _create(self) -> None:
        settings = self.settings
        names = [("owner", i) for i in range(settings.owners)] + [
            ("base station", j) for j in range(settings.base_stations)
        ]
        points = (*self.valuations.owner_points, *self.valuations.base_points)
        entries = [
            Entry(str(account.address), Role.OWNER if side == "owner" else Role.BASE_STATION, each)
            for (side, _), account, each in zip(names, self.accounts, points, strict=True)
        ]
        tree = tree_of(entries)
        self.terms = terms_of(settings, self.labels, self.clock.now, tree.root)
        self.round_id = self.market.create_round(self.creator, self.terms)
        theta = self.market.round_state(self.round_id).theta_numerator / 2**64
        self.watcher.phase(
            "Create",
            f"round {self.round_id} on chain {self.market.chain_id}, θ = {theta:.4f}",
        )
        self.watcher.did("contract", self.market.address)
        members = [
            (f"{side} {index + 1}", account, each, tree.proof(entry))
            for (side, index), account, each, entry in zip(names, self.accounts, points, entries, strict=True)
        ]
        common = (self.market, self.round_id, self.mailbox)
        self.owners = tuple(
            Owner(name, account, *common, points=each, proof=proof, values=values)
            for (name, account, each, proof), values in zip(members, self.valuations.values, strict=False)
        )
        self.base_stations = tuple(
            BaseStation(name, account, *common, points=each, proof=proof, cost_per_label=cost)
            for (name, account, each, proof), cost in zip(
                members[settings.owners :], self.valuations.costs, strict=True
            )
        )

    @property
    def members(self) -> tuple[Member, ...]:
        """Owners, then base stations."""
        return (*self.owners, *self.base_stations)

    @property
    def _silent(self) -> Owner | None:
        """Who never reveals."""
        return self.owners[-1] if self.settings.misbehaviour is Misbehaviour.NON_REVEALER else None

    def _fund_and_join(self) -> dict[str, int]:
        self.watcher.phase("Fund and join", "everybody locks the same for every bid")
        before = {}
        for member in self.members:
            lock = self.terms.lock(member.role, member.points)
            self.market.deposit(member.account, lock)
            before[member.address] = self.market.balance_of(member.address)
            member.publish_key()
            member.join()
            self.watcher.did(member.name, f"locked {lock // GWEI} gwei")
        return before

    def _propose(self) -> None:
        self.watcher.phase("Propose", "digests on chain, the texts encrypted to the members of each side")
        owners = [owner.address for owner in self.owners]
        stations = [station.address for station in self.base_stations]
        self.claims = []
        for owner, federation in zip(self.owners, self.federations, strict=False):
            config = federation.config
            view = OwnersView(self.settings.claimed_accuracy_bps, tuple(config.targets or ()))
            stations_view = StationsView(
                model=federation.model.name,
                dataset=config.dataset,
                label_count=len(view.targets),
                parameters=sum(tensor.numel() for tensor in federation.initial_state().values()),
                training_rounds=config.rounds,
                local_epochs=federation.stations[0].config.local_epochs,
                edge_rounds=federation.stations[0].config.edge_aggregations,
            )
            model = owner.propose(view, stations_view, owners, stations)
            self.claims.append(view)
            self.watcher.did(owner.name, f"proposed model {model}: labels {', '.join(view.targets)}")

    def _commit(self) -> None:
        self.clock.wait_until(self.terms.deadlines.join)
        self.watcher.phase("Commit", "sealed bids of both sides for every model")
        for member in self.members:
            member.commit(len(self.claims))
            self.watcher.did(member.name, "sealed its bids")

    def _reveal(self) -> None:
        self.clock.wait_until(self.terms.deadlines.commit)
        self.watcher.phase("Reveal", "the seals are opened, the contract sums values and costs")
        for member in self.members:
            if member is self._silent:
                self.watcher.did(member.name, "withholds its bids")
                continue
            member.reveal()
            bids = () if member.sealed is None else member.sealed.bids
            self.watcher.did(member.name, f"bid {', '.join(map(str, bids))} gwei")
        if self._silent is not None:
            self.clock.wait_until(self.terms.deadlines.reveal)

    def _select(self) -> Status:
        self.market.select_model(self.creator, self.round_id)
        state = self.market.round_state(self.round_id)
        values, costs = self.market.sums(self.round_id)
        if state.status is Status.TRAINING:
            margin = values[state.selected] - costs[state.selected]
            detail = f"model {state.selected} has the largest margin, {margin} gwei"
        else:
            detail = state.status.name.lower().replace("_", " ")
        self.watcher.phase("Select", detail)
        self.selected = state.selected
        return state.status

    def _train(self) -> Training:
        federation = self.federations[self.selected]
        winner = self.owners[self.selected]
        absent = self.settings.misbehaviour is Misbehaviour.ABSENT_STATION
        present = list(enumerate(self.base_stations))[: -1 if absent else None]
        self.watcher.phase(
            "Train",
            f"{federation.config.rounds} global rounds of {federation.model.name} on {federation.config.dataset}, "
            f"{len(present)} base stations × {federation.config.clients} clients",
        )
        if absent:
            self.watcher.did(self.base_stations[-1].name, "stays away")
        honest = self.settings.misbehaviour is not Misbehaviour.BAD_WINNER
        return train(self.market, federation, winner, present, self.store, self.watcher, honest=honest)

    def _report(self, training: Training) -> None:
        winner = self.owners[self.selected]
        if len(training.margins) < len(self.base_stations):
            self.clock.wait_until(self.terms.deadlines.train)
        self.watcher.phase("Report", "contributions as measured, and the claim made at proposal time is opened")
        listed = sorted(training.margins)
        if len(listed) == 1:  # points must stay below the total: somebody absent gets the one that is left
            listed.append(next(index for index in range(len(self.base_stations)) if index not in listed))
        points = contribution_points([training.margins.get(index, 0) for index in listed])
        stations = [self.base_stations[index] for index in listed]
        words = [word for station in stations for word in self._words(station)]
        addresses = [station.address for station in stations]
        self.market.report_contributions(winner.account, self.round_id, addresses, points, words)
        for station, each in zip(stations, points, strict=True):
            self.watcher.did(winner.name, f"credits {station.name} with {each / 10_000:.1f} % of the contribution")
        digest = to_chain(training.result_digest)
        self.market.report_result(winner.account, self.round_id, digest, self.claims[self.selected].opening)
        claimed = self.claims[self.selected].claimed_accuracy_bps
        self.watcher.did(winner.name, f"reported its model; it had claimed {claimed / 100:.1f} %")

    def _vote(self, training: Training) -> None:
        self.watcher.phase("Vote", "every other owner measures the shared model and votes")
        digest = to_chain(training.result_digest)
        claimed = self.claims[self.selected].claimed_accuracy_bps
        for owner in self.owners:
            if owner is not self.owners[self.selected]:
                measured = measure(self.federations[self.selected], self.store, digest)
                punish = owner.vote(claimed, measured)
                verdict = "for" if punish else "against"
                self.watcher.did(owner.name, f"measured {measured / 100:.1f} % and voted {verdict} punishment")

    def _settle(self) -> dict[str, int]:
        self.watcher.phase("Settle", "shares, taxes, rewards and slashed bonds move; then everybody claims its rebate")
        for at in range(0, len(self.members), 50):
            batch = self.members[at : at + 50]
            words = [word for member in batch for word in self._words(member)]
            self.market.settle_many(self.creator, self.round_id, [member.address for member in batch], words)
        rebates = {}
        for member in self.members:
            rebates[member.address] = self.market.rebate(self.round_id, member.address)
            self.market.claim_rebate(member.account, self.round_id)
        return rebates

    def _finish(self, training: Training | None, before: dict[str, int], rebates: dict[str, int]) -> Played:
        return Played(
            owners=self.owners,
            base_stations=self.base_stations,
            record=rebuild(self.market.events(self.round_id)),
            targets=tuple(view.targets for view in self.claims),
            claims=tuple(view.claimed_accuracy_bps for view in self.claims),
            federation=None if training is None else self.federations[self.selected],
            training=training,
            before=before,
            after={member.address: self.market.balance_of(member.address) for member in self.members},
            rebates=rebates,
            escrow_left=self.market.round_state(self.round_id).escrow,
        )

    def _words(self, member: Member) -> Sequence[int]:
        """A member's packed bids as revealed: zeros if it never did."""
        if member is self._silent or member.sealed is None:
            return self.market.zero_words(len(self.claims))
        return member.sealed.words
