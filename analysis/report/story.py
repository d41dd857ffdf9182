"""A round in words: what was selected and why, who paid for what, who did not do its duty, how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from analysis.report.reasons import Reasons
from analysis.report.source import Source
from analysis.report.words import counted, names_of, percent, rough, shown
from fl.market.words import short_gwei

FEW = 4
"""So many members, or transactions, are named in a sentence; of more only how many there are."""


def story_of(source: Source, members: Sequence[Reasons]) -> list[Markup]:
    """Paragraphs, each with the transactions that it stands on; what members wrote in them is escaped."""
    parts = [_who(source), _claimant(source, members)]
    parts += {
        "settled": lambda: [
            _selected(source),
            _pivotal(source, members),
            _training(source),
            _verdicts(source),
            _payments(source, members),
        ],
        "nothing trained": lambda: [_nothing(source), _pivotal(source, members)],
        "aborted": lambda: [
            _selected(source),
            _pivotal(source, members),
            _aborted(source),
            _payments(source, members),
        ],
        "cancelled": lambda: [_cancelled(source)],
    }[source.result.status]()
    parts += [_misconduct(source, members), _stakes(source, members), _end(source, members)]
    return [part for part in parts if part]


def labels_of(source: Source, model: int) -> Markup:
    """A model with its labels, as far as they are known."""
    labels = source.document.models[model].targets
    if not source.off_chain or not labels:
        return Markup("model {}").format(model)
    told = Markup(", ").join(shown(label, 40) for label in labels[:12])
    more = Markup(" and {} more").format(len(labels) - 12) if len(labels) > 12 else Markup()
    return Markup("model {} (labels {}{})").format(model, told, more)


def _with(text: str, *links: Markup) -> Markup:
    """A paragraph with its transactions behind it."""
    return Markup(" ").join(filter(None, [Markup.escape(text), *links[:FEW]]))


def _who(source: Source) -> Markup:
    document = source.document
    joined = [len(document.owners), len(document.base_stations)]
    committed = [sum(member.committed for member in side) for side in (document.owners, document.base_stations)]
    created = source.first("RoundCreated")
    links = [] if created is None else [source.link_to(created)]
    if not any(joined):
        return _with("Nobody joined this round.", *links)
    sides = f"{counted(joined[0], 'owner')} and {counted(joined[1], 'base station')} joined this round"
    if not any(committed):
        return _with(f"{sides}; none of them sealed a bid.", *links)
    sealed = "all of them"
    if committed != joined:
        sealed = f"{counted(committed[0], 'owner')} and {counted(committed[1], 'base station')}"
    return _with(
        f"{sides}; {sealed} sealed bids for {counted(len(document.models), 'proposed model')}: an owner bids what each "
        "model is worth to it, a base station what its training would cost it.",
        *links,
    )


def _claimant(source: Source, members: Sequence[Reasons]) -> Markup:
    document = source.document
    if document.claimant is None:
        return Markup()
    name = next(member.name for member in members if member.entry.claimant)
    lot = sum(member.entry.lot for member in members)
    receives = f"received all Clarke taxes, {rough(lot)}" if lot else "was to receive all Clarke taxes: there were none"
    if source.unclaimed:
        receives = f"is owed all Clarke taxes, {rough(lot + source.unclaimed)}, of which it has claimed {rough(lot)}"
    theta = document.theta_numerator / 2**64
    drawn = (
        f"The same draw made θ = {theta:.4f}, the part of the surplus that goes to the base stations."
        if document.theta_range[1]
        else "θ is 0 in this round: all surplus stays with the owners."
    )
    return _with(
        f"When all bids were sealed, {name} was drawn as claimant: it stood aside, without a say about the model, and "
        f"{receives}. {drawn}",
        source.link("ClaimantDrawn"),
        source.link("LotClaimed", document.claimant),
    )


def _selected(source: Source) -> Markup:
    document, selected = source.document, source.result.selected
    if selected is None:
        return Markup()
    entry, names = document.models[selected], names_of(document)
    others = [number for number, model in enumerate(document.models) if model.live and number != selected]
    best = max(others, key=lambda number: (document.models[number].margin, -number), default=None)
    if best is None:
        next_best = "It was the only model whose proposer had sealed a bid"
    else:
        margin = short_gwei(document.models[best].margin)
        next_best = f"The next best was model {best}, with {margin} gwei"
    text = Markup(
        "{}, which {} had proposed, was selected because its margin of value over cost is the largest: to the owners "
        "it is worth {} gwei together, and to train it costs all base stations an estimated {} gwei, which leaves {} "
        "gwei. {}."
    ).format(
        _capital(labels_of(source, selected)),
        names[entry.proposer],
        short_gwei(entry.value),
        short_gwei(entry.value - entry.margin),
        short_gwei(entry.margin),
        next_best,
    )
    return _with(text, source.link("ModelSelected", entry.proposer, selected))


def _nothing(source: Source) -> Markup:
    live = [number for number, model in enumerate(source.document.models) if model.live]
    best = max(live, key=lambda number: (source.document.models[number].margin, -number))
    margin = short_gwei(source.document.models[best].margin)
    return _with(
        f"Nothing was trained, because no model is worth more than it costs: the best, model {best}, has a margin of "
        f"{margin} gwei. Whoever kept a model from being trained pays a Clarke tax for it all the same.",
        source.link("NothingSelected"),
    )


def _pivotal(source: Source, members: Sequence[Reasons]) -> Markup:
    pivotal = sorted((member for member in members if member.pivotal), key=lambda member: -member.tax)
    if not pivotal:
        return Markup(
            "Nobody was pivotal: without any single member the selection would have been the same, so no Clarke tax is "
            "due."
        )
    paying = [member for member in pivotal if member.tax]
    if not paying:
        were = counted(len(pivotal), "member was", "members were")
        return Markup(f"{were} pivotal, but as no base station recorded anything, no tax is collected.")
    told = [
        f"{_capital(member.name)} was pivotal: without it {_model(member.without)} would have been selected, and for "
        f"that it paid a Clarke tax of {rough(member.tax)}."
        for member in paying[: FEW - 1]
    ]
    if rest := paying[FEW - 1 :]:
        taxes = rough(sum(member.tax for member in rest))
        told.append(f"{counted(len(rest), 'more member was', 'more members were')} pivotal, and paid {taxes}.")
    return _with(" ".join(told), *_settled(source, paying[: FEW - 1]))


def _training(source: Source) -> Markup:
    document, facts = source.document, source.facts
    total = facts.global_rounds
    able = [station for station in document.base_stations if station.revealed or station.claimant]
    whole = sum(station.recorded == total for station in able)
    part = {len(able): "all", 0: "none of the"}.get(whole, f"{whole} of the")
    stations = f"{part} {counted(len(able), 'base station')}"
    trained = f"{_capital(_model(source.result.selected))} was trained for {counted(total, 'global round')}"
    said = f"{trained}, of which {stations} recorded every one."
    training = document.training
    if training is None or source.result.selected is None:
        return Markup(said)
    reported = source.link("ResultReported", document.models[source.result.selected].proposer)
    if not source.off_chain:
        claimed = percent(training.claimed_accuracy)
        return _with(
            f"{said} Its proposer had claimed an accuracy of {claimed} under seal; how it grew is not on chain.",
            reported,
        )
    verdict = "reaches" if training.final_accuracy >= training.claimed_accuracy else "does not reach"
    text = Markup(
        "{} The architecture {} on {} came to an accuracy of {} on its labels, which {} the {} that its proposer had "
        "claimed under seal."
    ).format(
        said,
        shown(training.model, 60),
        shown(training.dataset, 60),
        percent(training.final_accuracy),
        verdict,
        percent(training.claimed_accuracy),
    )
    return _with(text, reported)


def _verdicts(source: Source) -> Markup:
    document, facts = source.document, source.facts
    electors = sum(owner.committed for owner in facts.owners) - 1
    claimed = 0.0 if document.training is None else document.training.claimed_accuracy
    short = sum(
        round(vote.measured_accuracy * 10_000) + document.tolerance < round(claimed * 10_000) for vote in document.votes
    )
    uphold = sum(vote.uphold for vote in document.votes)
    if document.punished:
        punished = f"{short} measured less than the claim allows: more than the threshold, so the winner lost its bond."
    else:
        few = "too few to punish the winner" if short else "the winner is not punished"
        punished = f"{short or 'None'} measured less than the claim allows: {few}."
    if all(points is None for points in document.contributions):
        contributions = "The winner had listed no contributions."
    else:
        stand = "they stand" if document.upheld else "they do not stand"
        contributions = f"{uphold or 'None'} upheld the contributions that the winner had listed: {stand}."
    return _with(
        f"All other owners that had sealed bids are electors, and {len(document.votes)} of {electors} voted. "
        f"{punished} {contributions}",
        *(source.link("Voted", vote.account) for vote in document.votes),
    )


def _payments(source: Source, members: Sequence[Reasons]) -> Markup:
    """What was paid for the work, and that not everybody gains by it."""
    if source.unsettled or not any(station.recorded for station in source.facts.stations):
        return Markup()
    shares = sum(max(0, member.entry.share) for member in members)
    rewards = sum(member.entry.reward for member in members)
    known = [member for member in members if member.net is not None]
    below = sum(member.net is not None and member.net < 0 for member in members)
    ends = (
        f" Going by the bids that they opened, {below} of {counted(len(known), 'member')} end below zero: a mechanism "
        "that is truthful, efficient and balanced cannot rule that out."
        if below
        else ""
    )
    return Markup(
        f"For this the owners paid {rough(shares)} in shares, and the base stations received {rough(rewards)} in "
        f"rewards.{ends}"
    )


def _aborted(source: Source) -> Markup:
    recorders = sum(station.recorded > 0 for station in source.facts.stations)
    due = "no base station had recorded anything, so no share, reward or tax is due"
    if recorders:
        due = (
            f"{counted(recorders, 'base station')} had recorded updates or attendance, so everything else is due as "
            "after a report"
        )
    selected = source.result.selected
    winner = None if selected is None else source.document.models[selected].proposer
    return _with(
        f"The winner never reported, and the training was aborted: it loses its bond; {due}.",
        source.link("TrainingAborted", winner),
    )


def _cancelled(source: Source) -> Markup:
    facts = source.facts
    committed = [sum(member.committed for member in side) for side in (facts.owners, facts.stations)]
    if source.document.claimant is None:
        why = "nobody had the claimant drawn in time"
        if not facts.can_be_held:
            why = (
                "no proposer of a model sealed a bid"
                if committed[0] >= 2 and committed[1] >= 3
                else f"it takes 2 owners and 3 base stations that seal bids, not {committed[0]} and {committed[1]}"
            )
        text = f"The round was cancelled: {why}. Nobody loses anything."
    else:
        opened = sum(station.revealed for station in facts.stations)
        why = "the selection was not called in time" if opened else "no base station opened its bids"
        text = (
            f"The round was cancelled after the draw: {why}. Only bonds for silence and of absent proposers are taken."
        )
    return _with(text, source.link("RoundCancelled"))


def _misconduct(source: Source, members: Sequence[Reasons]) -> Markup:
    guilty = [member for member in members if member.misconduct]
    told = [f"{member.name} {member.misconduct}, and lost {rough(member.slashed)}" for member in guilty[:FEW]]
    if len(guilty) > FEW:
        told.append(f"{len(guilty) - FEW} more lost theirs in part or whole")
    if not told:
        return Markup()
    text = _capital("; ".join(told)) + (" of its bond" if len(guilty) == 1 else "")
    return _with(f"{text}. What is taken of a bond is kept, and paid to nobody.", *_settled(source, guilty))


def _stakes(source: Source, members: Sequence[Reasons]) -> Markup:
    if not source.facts.stake or not source.result.upheld:
        return Markup()
    moved = sum(max(0, -member.entry.bonus) for member in members)
    return Markup(
        f"Each base station had staked {short_gwei(source.facts.stake)} gwei upon its contribution; {rough(moved)} "
        "changed hands by the contributions that were upheld."
    )


def _end(source: Source, members: Sequence[Reasons]) -> Markup:
    locked = sum(member.lock for member in members)
    if source.unsettled:
        settled = len(members) - len(source.unsettled)
        everybody = counted(len(members), "member")
        return Markup(f"{settled} of {everybody} are settled so far; what the others are due is still to be moved.")
    kept = source.document.kept
    rest = f"the contract keeps {rough(kept)}" if kept else "the contract keeps nothing"
    return _with(
        f"Of the {short_gwei(locked)} gwei that were locked every wei is accounted for below; {rest}.",
        *_settled(source, members),
    )


def _settled(source: Source, members: Sequence[Reasons]) -> list[Markup]:
    """The transactions that settled some members, each once."""
    return list(dict.fromkeys(source.link("MemberSettled", member.entry.account) for member in members))


def _model(number: int | None) -> str:
    return "nothing" if number is None else f"model {number}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
