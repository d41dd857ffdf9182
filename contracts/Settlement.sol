// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "./ClarkeTax.sol";
import {Lanes} from "./Lanes.sol";
import {Words} from "./Words.sol";
import {IHCFL, Stage, Status} from "./interfaces/IHCFL.sol";
import {Conduct} from "./types/Conduct.sol";
import {Draw} from "./types/Draw.sol";
import {Ledger} from "./types/Ledger.sol";
import {Member} from "./types/Member.sol";
import {Round} from "./types/Round.sol";
import {OWNERS, STATIONS} from "./types/Side.sol";
import {Terms} from "./types/Terms.sol";

/// @title What a settled member owes and is owed
/// @notice Reads a round once into a Statement and then works out one member after the other. Changes nothing.
library Settlement {
    using Words for uint256[];
    using Words for uint256[17];

    /// @notice A round as its settlement sees it.
    /// @param status deadlines that have passed counted in
    /// @param open whether committed members can be settled
    /// @param punished whether the winner's bond is lost by vote
    /// @param upheld whether the listed contributions count
    /// @param from where the bids of the member that is settled begin
    /// @param lot taxes collected so far, wei: the caller enters them
    struct Statement {
        uint256 roundId;
        Ledger ledger;
        Terms terms;
        Conduct conduct;
        Draw draw;
        Status status;
        bool open;
        bool punished;
        bool upheld;
        uint256 from;
        uint256 lot;
    }

    /// @notice What is collected from a member and paid to it, wei. `share`, `slashed` and `tax` are what it owes until `collect`
    /// cuts them to what its lock and reward hold.
    /// @param share its share of the total payment (owners)
    /// @param tax its Clarke tax
    /// @param slashed the part of its bond that is lost
    /// @param reward what it earns (base stations)
    /// @param forfeited the part of its reward that it did not earn
    /// @param bonus what it gets back of the contribution stakes less its own
    struct Dues {
        uint256 share;
        uint256 tax;
        uint256 slashed;
        uint256 reward;
        uint256 forfeited;
        int256 bonus;
    }

    /// @dev A side is too small, or no proposer committed.
    function cannotBeHeld(Ledger ledger, Draw draw) internal pure returns (bool) {
        return ledger.isTooSmall() || draw.live() == 0;
    }

    /// @dev Works out the verdicts of a reported round: each needs more than the threshold of all electors, who are the committed
    /// owners but the winner.
    function judge(Statement memory s) internal pure {
        unchecked {
            uint256 needed = s.draw.thresholdBps() * (s.ledger.committed(OWNERS) - 1);
            s.punished = s.conduct.votesPunish() * 10_000 > needed;
            s.upheld = !s.punished && s.draw.listed() == ClarkeTax.CONTRIBUTION_POINTS
                && s.conduct.votesUphold() * 10_000 > needed;
        }
    }

    /// @notice One side's book, from the sums of both. O(models).
    function openBook(ClarkeTax.Book memory book, Statement memory s, Round storage round, uint256 side) internal view {
        unchecked {
            uint256 stations = s.ledger.committed(STATIONS);
            book.owners = side == OWNERS;
            book.selected = s.status == Status.NothingTrained ? ClarkeTax.NONE : s.conduct.selected();
            book.capPerPoint = s.terms.cap(side) * 1 gwei;
            (uint256 valueFactor, uint256 costFactor) =
                ClarkeTax.setWeights(book, s.draw.theta(), s.ledger.committed(OWNERS), stations, s.ledger.points());
            uint256 models = s.terms.modelCount();
            uint256[] memory rows = Words.allocate(2 * models);
            book.rows = rows;
            uint256 live = s.draw.live();
            uint256 m;
            for (uint256 w; m < models; ++w) {
                uint256 values = round.sums[OWNERS].atStorage(w);
                uint256 costs = round.sums[STATIONS].atStorage(w);
                // The bids of this word end before model 4 w + 3; word 0 starts with the counter.
                if (w == 0) (values, costs) = (values >> 64, costs >> 64);
                for (uint256 end = Lanes.firstAfter(w, models); m < end; ++m) {
                    uint256 value = (values & Lanes.LANE) * 1 gwei;
                    uint256 cost = (costs & Lanes.LANE) * 1 gwei;
                    uint256 score = (stations - 1) * value - stations * cost;
                    rows.put(2 * m, live & 1 == 0 ? uint256(ClarkeTax.DEAD) : score);
                    rows.put(2 * m + 1, valueFactor * value + costFactor * cost);
                    (values, costs, live) = (values >> 64, costs >> 64, live >> 1);
                }
            }
        }
    }

    /// @notice What a member owes and is owed. Reverts if its time has not come.
    /// @param book its side's; opened when the first member needs it
    /// @param bids its packed bids from `bids[s.from]` on; zeros if it never revealed
    /// @return released what becomes free, wei
    // The cases are the mechanism's. Each amount is set in one place, so that one can see when a member owes it.
    // slither-disable-next-line cyclomatic-complexity
    function duesOf(
        Dues memory dues,
        Statement memory s,
        ClarkeTax.Book memory book,
        Round storage round,
        Member member,
        address account,
        uint256[] calldata bids
    ) internal view returns (uint256 released) {
        bool drawn = s.terms.isDrawn();
        uint256 side = member.side();
        if (member.isAt(Stage.Joined)) {
            // It never committed: nobody waits for it, but whether a proposer loses its bond is known with the draw.
            bool due = s.open || (block.timestamp >= s.terms.commitDeadline() && (drawn || !member.isProposer()));
            if (!due) revert IHCFL.SettlementNotOpen(s.roundId, s.status);
            if (drawn && member.isProposer()) dues.slashed = s.terms.bond();
        } else {
            if (!s.open) revert IHCFL.SettlementNotOpen(s.roundId, s.status);
            bool silent = member.isAt(Stage.Committed) && !s.terms.isClaimant(member);
            if (drawn && silent) dues.slashed = s.terms.bond();
            uint256 share;
            if (isShared(s, member)) {
                if (s.terms.isClaimant(member)) {
                    share = claimantShareOf(s, round);
                } else {
                    checkBids(member, account, bids, s.from, s.terms.bidWords());
                    if (book.rows.length == 0) openBook(book, s, round, side);
                    (share, dues.tax) = ClarkeTax.shareAndTax(book, side == OWNERS ? member.points() : 1, bids, s.from);
                }
            }
            if (side == OWNERS) ownersDues(dues, s, member, share);
            else stationsDues(dues, s, member, share);
        }
        released = collect(dues, s.terms.worstLossOf(side, member.points()) + s.terms.bond());
        // A stake is locked beside the rest, and only shared out again.
        if (side == STATIONS) released = uint256(int256(released + s.draw.stake()) + dues.bonus);
    }

    /// @dev Whether a committed member's share and tax are worked out: everybody's where nothing is selected or something was
    /// recorded and reported; in an aborted round the winner's, and those of base stations that recorded.
    function isShared(Statement memory s, Member member) private pure returns (bool) {
        if (s.status == Status.Reported) return s.conduct.recorders() != 0;
        if (s.status == Status.Aborted) return member.recorded() != 0 || member.proposed(s.conduct.selected());
        return s.status == Status.NothingTrained;
    }

    /// @dev Where nothing is selected it is 0.
    function claimantShareOf(Statement memory s, Round storage round) private view returns (uint256) {
        if (s.status == Status.NothingTrained) return 0;
        uint256 model = s.conduct.selected();
        uint256 w = Lanes.wordOf(model);
        uint256 value = Lanes.lane(round.sums[OWNERS].atStorage(w), model) * 1 gwei;
        uint256 cost = Lanes.lane(round.sums[STATIONS].atStorage(w), model) * 1 gwei;
        return ClarkeTax.claimantShare(s.draw.theta(), s.ledger.committed(STATIONS), value, cost);
    }

    /// @dev The winner loses its bond if it never reported, or by vote; once, if it was silent as well.
    function ownersDues(Dues memory dues, Statement memory s, Member member, uint256 share) private pure {
        if (s.conduct.recorders() != 0) dues.share = share;
        bool winner = member.proposed(s.conduct.selected());
        if (winner && (s.punished || s.status == Status.Aborted)) dues.slashed = s.terms.bond();
    }

    /// @dev Paid by the part of the global rounds that it recorded; the bond is lost by the other part, or by an upheld zero.
    function stationsDues(Dues memory dues, Statement memory s, Member member, uint256 share) private pure {
        uint256 recorded = member.recorded();
        uint256 bond = s.terms.bond();
        if (s.status == Status.Aborted) {
            dues.tax = 0;
            if (recorded != 0) {
                uint256 part = bond / s.conduct.recorders();
                dues.reward = share * recorded / s.conduct.globalRounds();
                if (dues.reward > part) dues.reward = part;
            }
        } else if (s.status == Status.Reported) {
            uint256 all = s.conduct.globalRounds();
            dues.reward = share * recorded / all;
            dues.forfeited = share - dues.reward;
            dues.slashed = (bond * (all - recorded) + all - 1) / all;
            if (s.upheld) {
                uint256 points = member.points();
                if (member.listed() && points == 0) dues.slashed = bond;
                uint256 stake = s.draw.stake();
                uint256 back = s.ledger.committed(STATIONS) * stake * points / ClarkeTax.CONTRIBUTION_POINTS;
                dues.bonus = int256(back) - int256(stake);
            }
        }
    }

    /// @dev Collects from the lock and the reward, in this order and never more: share, slashed bond, tax.
    /// @return released what becomes free
    function collect(Dues memory dues, uint256 lock) internal pure returns (uint256 released) {
        unchecked {
            released = lock + dues.reward; // below 2^109
            if (dues.share > released) dues.share = released;
            released -= dues.share;
            if (dues.slashed > released) dues.slashed = released;
            released -= dues.slashed;
            if (dues.tax > released) dues.tax = released;
            released -= dues.tax;
        }
    }

    /// @dev The bids that a caller supplies again must be those that were revealed, zeros where none were.
    function checkBids(Member member, address account, uint256[] calldata bids, uint256 from, uint256 words)
        internal
        pure
    {
        if (member.isAt(Stage.Committed)) {
            for (uint256 i = from; i < from + words; ++i) {
                if (bids[i] != 0) revert IHCFL.WrongBids(account);
            }
        } else if (!member.holds(bids.hash(from, words))) {
            revert IHCFL.WrongBids(account);
        }
    }
}
