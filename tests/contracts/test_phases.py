"""One round without any early end: the phase to the second at every deadline, and what opens with it."""

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import Phase, Status


def assert_turns(round_: LiveRound, deadline: str, before: Phase, after: Phase) -> None:
    """The deadline's second is the first of the next phase."""
    round_.wait_for(deadline, -1)
    assert round_.state.phase == before, f"a second before {deadline}"
    round_.wait_for(deadline)
    assert round_.state.phase == after, f"at {deadline}"


def test_phases__somebody_missing_everywhere__each_lasts_to_its_deadline(create_round: CreateRound) -> None:
    round_ = create_round()
    east, alice = round_.stations[2], round_.owners[0]
    round_.joined()
    assert_turns(round_, "join", Phase.JOIN, Phase.COMMIT)
    round_.committed()
    assert_turns(round_, "commit", Phase.COMMIT, Phase.REVEAL)
    round_.revealed(but=[east])
    assert_turns(round_, "reveal", Phase.REVEAL, Phase.SELECT)
    round_.wait_for("select", -1)
    assert round_.state.phase == Phase.SELECT
    round_.selected()
    assert round_.state.phase == Phase.TRAIN, "a selection opens training before its deadline"
    round_.trained(but=[round_.stations[0]])
    assert_turns(round_, "train", Phase.TRAIN, Phase.REPORT)
    round_.wait_for("report", -1)
    round_.reported()
    assert round_.state.phase == Phase.VOTE
    round_.vote(alice).send()
    assert_turns(round_, "vote", Phase.VOTE, Phase.SETTLE)


def test_phases__everybody_at_once__each_ends_early(create_round: CreateRound) -> None:
    round_ = create_round()
    times = round_.terms.deadlines
    chain = round_.market.chain
    round_.joined().committed().revealed()
    assert (round_.state.phase, chain.now) == (Phase.SELECT, times.commit)
    round_.selected()
    assert (round_.state.phase, chain.now) == (Phase.TRAIN, times.commit)
    round_.trained().reported()
    assert (round_.state.phase, chain.now) == (Phase.VOTE, times.commit)
    round_.voted()
    assert (round_.state.phase, chain.now) == (Phase.SETTLE, times.commit)


def test_phases__early_ends__move_no_deadline(create_round: CreateRound) -> None:
    """Training may take until its deadline though it began two phases early."""
    round_ = create_round().selected()
    round_.trained(but=[round_.stations[0]]).wait_for("train", -1)
    round_.record_update(round_.stations[0]).send()
    round_.reported().wait_for("vote", -1)
    round_.vote(round_.owners[0]).send()
    assert round_.state.phase == Phase.VOTE


def test_phases__report_in_the_block_of_the_selection__needs_every_update(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.report_result().reverts_with("UpdatesMissing", recorders=0, revealed=3)


def test_phases__winner_vanishes__round_can_be_ended_from_the_report_deadline(
    create_round: CreateRound,
) -> None:
    round_ = create_round().trained()
    round_.wait_for("report", -1)
    assert round_.state.phase == Phase.REPORT
    round_.wait_for("report", 10**6)
    assert round_.state.status == Status.TRAINING
    round_.abort().send()
    assert round_.state.phase == Phase.SETTLE
