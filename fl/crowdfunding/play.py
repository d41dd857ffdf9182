"""Plays a round, phase by phase, in the order of the protocol."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ape.api import AccountAPI

from fl.artefacts import ArtefactStore, to_chain
from fl.crowdfunding.clock import Clock
from fl.crowdfunding.settings import CREATION_SECONDS, Misbehaviour, RoundSettings
from fl.crowdfunding.training import Judge, Training, judge_artefact, measure_points, train, with_own_data
from fl.crowdfunding.valuations import Valuations, claimant_of, draw, terms_of
from fl.crowdfunding.watcher import Watcher
from fl.market.bids import word_count
from fl.market.client import Market
from fl.market.mailbox import Mailbox
from fl.market.members import BaseStation, Member, Owner
from fl.market.membership import Entry, tree_of
from fl.market.terms import GWEI, Role, Status, claimant_ordinal
from fl.market.views import OwnersView, StationsView
from fl.record.document import Balances, GlobalRoundEntry, RoundDocument, TrainingEntry, document_of
from fl.record.history import RoundRecord, rebuild
from fl.training.crews.pool import open_crew
from fl.training.data.dataset import labels_of, load_dataset
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import save_model
from fl.training.pilot import forecast_once

PILOTS = Path(".cache/pilots")
"""Where forecasts are kept."""

DRAW_SECONDS = 30
"""Left of the draw's window when no more blocks are let pass."""


@dataclass(frozen=True)
class Played:
    """A finished round.

    Attributes:
        record: what the chain's logs say.
        document: the round as `round.json`.
        federation: of the selected model; None where nothing was trained.
        escrow_left: wei that the round still holds.
    """

    owners: tuple[Owner, ...]
    base_stations: tuple[BaseStation, ...]
    record: RoundRecord
    document: RoundDocument
    federation: Federation | None
    escrow_left: int


@dataclass(frozen=True)
class Stage:
    """What a round needs beside a chain: the data's labels, every member's numbers, what each model trains on.

    Attributes:
        claims: the accuracy that each proposer expects of its model, 1/10,000.
    """

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
        return cls(labels, valuations, federations, _claims(settings, federations))


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
        self.claims = stage.claims

    def run(self) -> Played:
        """Play every phase.

        Raises:
            MarketError: the contract refused a call.
            TrainingError: training failed.
        """
        self._create()
        before = self._join()
        self._propose()
        self._commit()
        self._draw()
        self._reveal()
        training = None
        if self._select() is Status.TRAINING:
            training = self._train()
            self._report(training)
            self._vote(training)
        self._settle()
        return self._finish(training, before)

    # ── the phases ──

    def _create(self) -> None:
        settings = self.settings
        names = [("owner", i) for i in range(settings.owners)] + [
            ("base station", j) for j in range(settings.base_stations)
        ]
        points = (*self.valuations.owner_points, *[1] * settings.base_stations)
        entries = [
            Entry(str(account.address), Role.OWNER if side == "owner" else Role.BASE_STATION, each)
            for (side, _), account, each in zip(names, self.accounts, points, strict=True)
        ]
        tree = tree_of(entries)
        self.terms = terms_of(settings, self.labels, self.clock.now + CREATION_SECONDS)
        self.round_id = self.market.create_round(self.creator, self.terms, tree.root)
        low, high = (bps / 10_000 for bps in self.terms.surplus_bps)
        theta = f"θ = {low}" if low == high else f"θ from {low} to {high}"
        self.watcher.phase("Create", f"round {self.round_id} on chain {self.market.chain_id}, {theta}")
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

    def _join(self) -> dict[str, int]:
        self.watcher.phase("Join", "everybody locks the same for every bid, and knows what it can lose")
        before = {}
        for member in self.members:
            member.publish_key()
            lock, loss = (
                amount(member.role, member.points) // GWEI for amount in (member.terms.lock, member.terms.worst_loss)
            )
            self.watcher.did(member.name, f"locks {lock} gwei; doing its duties it loses {loss} at most")
            member.join()
            before[member.address] = self.market.balance_of(member.address)
        return before

    def _propose(self) -> None:
        self.watcher.phase("Propose", "digests on chain, the texts encrypted to the members of each side")
        owners = [owner.address for owner in self.owners]
        stations = [station.address for station in self.base_stations]
        self.texts: list[tuple[OwnersView, StationsView]] = []
        for owner, federation, claim in zip(self.owners, self.federations, self.claims, strict=False):
            config, initial = federation.config, federation.initial_state()
            view = OwnersView(claim, tuple(config.targets or ()))
            stations_view = StationsView(
                model=federation.model.name,
                dataset=config.dataset,
                label_count=len(view.targets),
                parameters=sum(tensor.numel() for tensor in initial.values()),
                global_rounds=config.rounds,
                local_epochs=federation.stations[0].config.local_epochs,
                edge_aggregations=federation.stations[0].config.edge_aggregations,
                initial_model=self.store.put(save_model(federation.model, initial)),
            )
            model = owner.propose(view, stations_view, owners, stations)
            self.texts.append((view, stations_view))
            labels = ", ".join(view.targets)
            self.watcher.did(owner.name, f"proposed model {model}: labels {labels}, claimed {claim / 100:.1f} %")

    def _commit(self) -> None:
        self.clock.wait_until(self.terms.deadlines.join)
        self.watcher.phase("Commit", "sealed bids of both sides for every model")
        for member in self.members:
            member.commit(len(self.texts))
            self.watcher.did(member.name, "sealed its bids")
            for model, reason in member.unread.items():
                self.watcher.did(member.name, f"bid {member.blind_bid} for model {model}, because {reason}")

    def _draw(self) -> None:
        """In the first block of the window, so that there is one to choose from.

        Where blocks can be had for the asking they pass until the next one draws the claimant that the seed names.
        """
        self.clock.wait_until(self.terms.deadlines.draw_opens)
        wanted, stations = claimant_of(self.settings) + 1, len(self.base_stations)
        while self.clock.movable and self.clock.now < self.terms.deadlines.draw - DRAW_SECONDS:
            if claimant_ordinal(self.clock.randomness_ahead(), self.round_id, stations) == wanted:
                break
            self.clock.mine()
        self.market.draw_claimant(self.creator, self.round_id)
        state = self.market.round_state(self.round_id)
        self.claimant = self.base_stations[state.claimant - 1]
        self.watcher.phase("Draw", f"θ = {state.theta_numerator / 2**64:.4f}")
        self.watcher.did(self.claimant.name, "is the claimant: its bids stay sealed, and all taxes are its")

    def _reveal(self) -> None:
        self.watcher.phase("Reveal", "the seals are opened, the contract sums values and costs")
        silent = self.owners[-1] if self.settings.misbehaviour is Misbehaviour.NON_REVEALER else None
        for member in self.members:
            if member is silent:
                self.watcher.did(member.name, "withholds its bids")
            elif member is not self.claimant:
                member.reveal()
                bids = () if member.sealed is None else member.sealed.bids
                self.watcher.did(member.name, f"bid {', '.join(map(str, bids))} gwei")
        if silent is not None:
            self.clock.wait_until(self.terms.deadlines.reveal)

    def _select(self) -> Status:
        self.market.select_model(self.creator, self.round_id)
        state = self.market.round_state(self.round_id)
        values, costs = self.market.sums(self.round_id)
        if state.status is Status.TRAINING:
            stations = len(self.base_stations)
            margin = values[state.selected] - costs[state.selected] * stations / (stations - 1)
            detail = f"model {state.selected} has the largest margin, {margin:,.2f} gwei".replace(".00 gwei", " gwei")
        else:
            detail = state.status.name.lower().replace("_", " ")
        self.watcher.phase("Select", detail)
        self.selected = state.selected
        return state.status

    def _train(self) -> Training:
        federation = self.federations[self.selected]
        last, rounds = len(self.base_stations) - 1, federation.config.rounds
        present = {
            Misbehaviour.ABSENT_STATION: {last: 0},
            Misbehaviour.PARTIAL_STATION: {last: rounds // 2},
        }.get(self.settings.misbehaviour, {})
        self.watcher.phase(
            "Train",
            f"{rounds} global rounds of {federation.model.name} on {federation.config.dataset}, "
            f"{len(self.base_stations)} base stations × {federation.config.clients} clients",
        )
        for index, stays in present.items():
            what = f"stays for {stays} of {rounds} global rounds" if stays else "stays away"
            self.watcher.did(self.base_stations[index].name, what)
        with open_crew(federation, self.settings.workers) as crew:
            return train(
                self.market,
                federation.config,
                federation.model,
                crew,
                self.owners[self.selected],
                self.base_stations,
                self.store,
                self._record,
                self.watcher,
                present=present,
                honest=self.settings.misbehaviour is not Misbehaviour.BAD_WINNER,
            )

    def _report(self, training: Training) -> None:
        winner, (claim, _) = self.owners[self.selected], self.texts[self.selected]
        if self.market.round_state(self.round_id).finished < len(self.base_stations):
            self.clock.wait_until(self.terms.deadlines.train)
        method = self.settings.contribution
        self.watcher.phase("Report", f"contributions ({method}), and the claim made at proposal time is opened")
        with self._own_judge(self.selected) as judge:
            points = self._points(training, judge)
        if points:
            self.market.report_contributions(winner.account, self.round_id, list(points), list(points.values()))
        for station in self.base_stations:
            if station.address in points:
                part = points[station.address] / 10_000
                self.watcher.did(winner.name, f"credits {station.name} with {part:.1f} % of the contribution")
        self.market.report_result(winner.account, self.round_id, to_chain(training.result_digest), claim.opening)
        self.watcher.did(winner.name, f"reported its model; it had claimed {claim.claimed_accuracy_bps / 100:.1f} %")

    @contextmanager
    def _own_judge(self, owner: int) -> Iterator[Judge]:
        """How an owner judges models of the selected kind: by test images of its own."""
        federation = with_own_data(self.federations[self.selected], owner)
        with open_crew(federation, self.settings.workers) as crew:
            yield crew.evaluate

    def _points(self, training: Training, judge: Judge) -> dict[str, int]:
        """The points that an owner who judges so finds right."""
        federation = self.federations[self.selected]
        initial = training.initial_digest
        return measure_points(federation.config, federation.model, self.store, self._record(), initial, judge)

    def _vote(self, training: Training) -> None:
        self.watcher.phase("Vote", "every other owner measures the shared model and the contributions, and votes")
        record = self._record()
        listed = {station.account: station.listed or 0 for station in record.side(Role.BASE_STATION)}
        for index, owner in enumerate(self.owners):
            if index == self.selected:
                continue
            model = self.federations[self.selected].model
            with self._own_judge(index) as judge:
                measured = judge_artefact(model, self.store, training.result_digest, judge).accuracy_bps
                points = self._points(training, judge)
            uphold = owner.vote(measured, listed, points)
            verdict = "upholds" if uphold else "does not uphold"
            self.watcher.did(owner.name, f"measured {measured / 100:.1f} %, and {verdict} the contributions")

    def _settle(self) -> None:
        self.watcher.phase("Settle", "shares, taxes, rewards, stakes and slashed bonds move, then the claimant's lot")
        revealed = {member.account: member.words for member in self._record().members.values()}
        zeros = [0] * word_count(len(self.texts))
        for at in range(0, len(self.members), 50):
            batch = [member.address for member in self.members[at : at + 50]]
            words = [word for account in batch for word in revealed[account] or zeros]
            self.market.settle_many(self.creator, self.round_id, batch, words)
        self.market.claim_lot(self.claimant.account, self.round_id)

    def _finish(self, training: Training | None, before: dict[str, int]) -> Played:
        events = self.market.events(self.round_id)
        record = rebuild(events)
        federation = None if training is None else self.federations[self.selected]
        document = document_of(
            self.market.chain_id,
            self.market.address,
            record,
            self.texts,
            None if training is None else self._entry(training),
            {account: Balances(wei, self.market.balance_of(account)) for account, wei in before.items()},
            self.market.transactions(events),
        )
        escrow_left = self.market.round_state(self.round_id).escrow
        return Played(self.owners, self.base_stations, record, document, federation, escrow_left)

    def _entry(self, training: Training) -> TrainingEntry:
        federation, (claim, _) = self.federations[self.selected], self.texts[self.selected]
        return TrainingEntry(
            dataset=federation.config.dataset,
            model=federation.model.name,
            initial_digest=training.initial_digest,
            result_digest=training.result_digest,
            global_rounds=tuple(
                GlobalRoundEntry(
                    global_round=each.number,
                    global_digest=each.digest,
                    accuracy=each.evaluation.accuracy,
                    loss=each.evaluation.loss,
                    updates_root="0x" + each.updates_root.hex(),
                )
                for each in training.global_rounds
            ),
            claimed_accuracy=claim.claimed_accuracy_bps / 10_000,
            final_accuracy=training.final.accuracy,
        )

    def _record(self) -> RoundRecord:
        return rebuild(self.market.events(self.round_id))
