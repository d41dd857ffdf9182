"""A round in words: what was chosen and why, who paid for what, who did not do its duty, how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from analysis.report.reasons import Reasons
from analysis.report.source import Source
from analysis.report.words import counted, names_of, percent, shown
from fl.market.words import gwei, short_gwei


def story_of(source: Source, members: Sequence[Reasons]) -> list[Markup]:
    """Paragraphs; what members wrote in them is escaped."""
    parts = [_who(source), _claimant(source, members)]
    parts += {
        "settled": lambda: [_selected(source), _pivotal(members), _training(source), _verdicts(source)],
        "nothing trained": lambda: [_nothing(source), _pivotal(members)],
        "aborted": lambda: [_selected(source), _aborted(source)],
        "cancelled": lambda: [_cancelled(source)],
    }[source.result.status]()
    parts += [_misconduct(members), _stakes(source, members), _end(source, members)]
    return [part for part in parts if part]


def labels_of(source: Source, model: int) -> Markup:
    """A model with its labels, as far as they are known."""
    labels = source.document.models[model].targets
    if not source.off_chain or not labels:
        return Markup("model {}").format(model)
    told = Markup(", ").join(shown(label, 40) for label in labels[:12])
    more = Markup(" and {} more").format(len(labels) - 12) if len(labels) > 12 else Markup()
    return Markup("model {} (labels {}{})").format(model, told, more)


def _who(source: Source) -> Markup:
    document = source.document
    joined = [len(document.owners), len(document.base_stations)]
    committed = [sum(member.committed for member in side) for side in (document.owners, document.base_stations)]
    sealed = "all of them" if committed == joined else f"{committed[0]} and {committed[1]} of them"
    if not any(joined):
        return Markup("Nobody joined this round.")
    return Markup(
        f"{counted(joined[0], 'owner')} and {counted(joined[1], 'base station')} joined this round; {sealed} sealed "
        f"bids for {counted(len(document.models), 'proposed model')}."
    )


def _claimant(source: Source, members: Sequence[Reasons]) -> Markup:
    document = source.document
    if document.claimant is None:
        return Markup()
    name = next(member.name for member in members if member.entry.claimant)
    theta = document.theta_numerator / 2**64
    lot = sum(member.entry.lot for member in members)
    receives = f"received all taxes, {gwei(lot)} gwei" if lot else "was to receive all taxes: there were none"
    if source.unclaimed:
        receives = f"is owed all taxes, {gwei(lot + source.unclaimed)} gwei, of which it has claimed {gwei(lot)}"
    return Markup(
        f"When all bids were sealed, {name} was drawn as claimant: it stood aside, without a say about the model, and "
        f"{receives}. With it θ = {theta:.4f} was drawn, the part of the surplus that goes to the base stations."
    )


def _selected(source: Source) -> Markup:
    document, selected = source.document, source.result.selected
    if selected is None:
        return Markup()
    entry, names = document.models[selected], names_of(document)
    others = [number for number, model in enumerate(document.models) if model.live and number != selected]
    best = max(others, key=lambda number: (document.models[number].margin, -number), default=None)
    if best is None:
        next_best = "it was the only one whose proposer had sealed a bid"
    else:
        margin = short_gwei(document.models[best].margin)
        next_best = f"the next best was model {best} with {margin} gwei"
    return Markup(
        "{} was chosen because its margin of value over cost is the largest: the owners value it at {} gwei, all base "
        "stations together would train it for an estimated {}, which leaves {} gwei; {}. {} had proposed it."
    ).format(
        _capital(labels_of(source, selected)),
        short_gwei(entry.value),
        short_gwei(entry.value - entry.margin),
        short_gwei(entry.margin),
        next_best,
        _capital(names[entry.proposer]),
    )


def _nothing(source: Source) -> Markup:
    live = [number for number, model in enumerate(source.document.models) if model.live]
    best = max(live, key=lambda number: (source.document.models[number].margin, -number))
    margin = short_gwei(source.document.models[best].margin)
    return Markup(
        f"Nothing was trained, because no model is worth more than it costs: the best, model {best}, has a margin of "
        f"{margin} gwei. Whoever kept a model from being trained pays a Clarke tax for it all the same."
    )


def _pivotal(members: Sequence[Reasons]) -> Markup:
    pivotal = sorted((member for member in members if member.pivotal), key=lambda member: -member.tax)
    if not pivotal:
        return Markup(
            "Nobody was pivotal: without any single member the choice would have been the same, so no tax is due."
        )
    paying = [member for member in pivotal if member.tax]
    if not paying:
        return Markup(f"{counted(len(pivotal), 'member was', 'members were')} pivotal, but no tax is collected here.")
    told = [
        f"without {member.name}, {'nothing' if member.without is None else f'model {member.without}'} would have been "
        f"chosen, and it pays {gwei(member.tax)} gwei of Clarke tax for that"
        for member in paying[:3]
    ]
    if rest := paying[3:]:
        taxes = gwei(sum(member.tax for member in rest))
        told.append(f"{counted(len(rest), 'more member was', 'more members were')} pivotal: {taxes} gwei")
    return Markup(_capital("; ".join(told)) + ".")


def _training(source: Source) -> Markup:
    document, facts = source.document, source.facts
    total = facts.global_rounds
    able = [station for station in document.base_stations if station.revealed or station.claimant]
    whole = sum(station.recorded == total for station in able)
    stations = counted(len(able), "base station")
    said = f"It was trained for {counted(total, 'global round')}; {whole} of {stations} recorded all of it."
    training = document.training
    if training is None:
        return Markup(said)
    if not source.off_chain:
        return Markup(f"{said} Its proposer had claimed an accuracy of {percent(training.claimed_accuracy)}.")
    verdict = "reaches" if training.final_accuracy >= training.claimed_accuracy else "does not reach"
    return Markup(
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


def _verdicts(source: Source) -> Markup:
    document, facts = source.document, source.facts
    electors = sum(owner.committed for owner in facts.owners) - 1
    claimed = 0.0 if document.training is None else document.training.claimed_accuracy
    short = sum(
        round(vote.measured_accuracy * 10_000) + document.tolerance < round(claimed * 10_000) for vote in document.votes
    )
    uphold = sum(vote.uphold for vote in document.votes)
    punished = (
        "more than the threshold, so the winner lost its bond" if document.punished else "too few to punish the winner"
    )
    stand = "they stand" if document.upheld else "they do not stand"
    return Markup(
        f"{len(document.votes)} of {counted(electors, 'elector')} voted. {short} measured less than the claim allows: "
        f"{punished}. {uphold} upheld the listed contributions: {stand}."
    )


def _aborted(source: Source) -> Markup:
    recorders = sum(station.recorded > 0 for station in source.facts.stations)
    if recorders:
        owes = (
            "its bond, its tax and, as somebody recorded, its share; "
            f"{counted(recorders, 'base station')} that had recorded got a part of that"
        )
    else:
        owes = "its bond and its tax; no base station had recorded anything"
    return Markup(
        f"The winner never reported, and the training was aborted. It owes {owes}. Nobody else owes anything for it."
    )


def _cancelled(source: Source) -> Markup:
    document, facts = source.document, source.facts
    committed = [sum(member.committed for member in side) for side in (facts.owners, facts.stations)]
    if document.claimant is None:
        if not facts.can_be_held:
            why = (
                "no proposer of a model sealed a bid"
                if committed[0] >= 2 and committed[1] >= 3
                else f"it takes 2 owners and 3 base stations that seal bids, not {committed[0]} and {committed[1]}"
            )
            return Markup(f"The round was cancelled: {why}. Nobody loses anything.")
        return Markup("The round was cancelled: nobody had the claimant drawn in time. Nobody loses anything.")
    opened = sum(station.revealed for station in facts.stations)
    why = "the selection was not called in time" if opened else "no base station opened its bids"
    return Markup(
        f"The round was cancelled after the draw: {why}. Only bonds for silence and of absent proposers are taken."
    )


def _misconduct(members: Sequence[Reasons]) -> Markup:
    guilty = [member for member in members if member.misconduct]
    told = [f"{member.name} {member.misconduct}, and lost {gwei(member.slashed)} gwei" for member in guilty[:4]]
    if len(guilty) > 4:
        told.append(f"{len(guilty) - 4} more lost theirs in part or whole")
    if not told:
        return Markup()
    return Markup(_capital("; ".join(told)) + ". What is taken of a bond is kept, and paid to nobody.")


def _stakes(source: Source, members: Sequence[Reasons]) -> Markup:
    if not source.facts.stake or not source.result.upheld:
        return Markup()
    moved = sum(max(0, -member.entry.bonus) for member in members)
    return Markup(
        f"Each base station had staked {short_gwei(source.facts.stake)} gwei upon its contribution; {gwei(moved)} gwei "
        "changed hands by the contributions that were upheld."
    )


def _end(source: Source, members: Sequence[Reasons]) -> Markup:
    locked = sum(member.lock for member in members)
    if source.unsettled:
        settled = len(members) - len(source.unsettled)
        everybody = counted(len(members), "member")
        return Markup(f"{settled} of {everybody} are settled so far; what the others are due is still to be moved.")
    kept = source.document.kept
    rest = f"{gwei(kept)} gwei are kept by the contract" if kept else "nothing is kept by the contract"
    return Markup(f"Of {short_gwei(locked)} gwei locked, every wei is accounted for below; {rest}.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
