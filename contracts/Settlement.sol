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
    /// @param open whether committed members can be settled
    /// @param selected the selected model of a reported or an aborted round, or NONE
    /// @param taxed whether everybody's share and tax are due: something was recorded, or nothing is trained
    /// @param punished whether the winner's bond is lost: it never reported, or by vote
    /// @param upheld whether the listed contributions count
    /// @param from where the bids of the member that is settled begin
    /// @param lot taxes collected so far, wei: the caller enters them
    struct Statement {
        uint256 roundId;
        Ledger ledger;
        Terms terms;
        Conduct conduct;
        Draw draw;
        bool open;
        uint256 selected;
        bool taxed;
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
    /// @param claimant whether it is the claimant
    struct Dues {
        uint256 share;
        uint256 tax;
        uint256 slashed;
        uint256 reward;
        uint256 forfeited;
        int256 bonus;
        bool claimant;
    }

    /// @dev A side is too small (shares divide by owners − 1 and stations − 2), or no proposer committed.
    function cannotBeHeld(Ledger ledger, Draw draw) internal pure returns (bool) {
        return ledger.committed(OWNERS) < 2 || ledger.committed(STATIONS) < 3 || draw.live() == 0;
    }

    /// @dev Works out from the words of a round and its status what follows for all members. A verdict needs more than the threshold of
    /// all electors, who are the committed owners but the winner.
    function judge(Statement memory s, Status status) internal pure {
        bool aborted = status == Status.Aborted;
        bool trained = aborted || status == Status.Reported;
        s.taxed = status == Status.NothingTrained;
        s.selected = trained ? s.conduct.selected() : ClarkeTax.NONE;
        if (!trained) return;
        s.taxed = s.conduct.recorders() != 0;
        unchecked {
            uint256 needed = s.draw.thresholdBps() * (s.ledger.committed(OWNERS) - 1);
            (uint256 punish, uint256 uphold) = s.conduct.verdicts();
            s.punished = aborted || punish * 10_000 > needed;
            s.upheld = uphold * 10_000 > needed && s.draw.listed() == ClarkeTax.CONTRIBUTION_POINTS;
        }
    }

    /// @notice One side's book, from the sums of both. O(models).
    function openBook(ClarkeTax.Book memory book, Statement memory s, Round storage round, uint256 side) internal view {
        unchecked {
            uint256 stations = s.ledger.committed(STATIONS);
            book.selected = s.selected;
            book.capPerPoint = s.terms.cap(side) * 1 gwei;
            (uint256 valueFactor, uint256 costFactor) = ClarkeTax.setWeights(
                book, side == OWNERS, s.draw.theta(), s.ledger.committed(OWNERS), stations, s.ledger.points()
            );
            // The sums are gwei.
            (valueFactor, costFactor) = (valueFactor * 1 gwei, costFactor * 1 gwei);
            (uint256 valueWeight, uint256 costWeight) = ((stations - 1) * 1 gwei, stations * 1 gwei);
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
                    uint256 value = values & Lanes.LANE;
                    uint256 cost = costs & Lanes.LANE;
                    uint256 score = valueWeight * value - costWeight * cost;
                    rows.put(m, live & 1 == 0 ? uint256(ClarkeTax.DEAD) : score);
                    rows.put(models + m, valueFactor * value + costFactor * cost);
                    (values, costs, live) = (values >> 64, costs >> 64, live >> 1);
                }
            }
        }
    }

    /// @notice What a member owes and is owed. Reverts if its time has not come.
    /// @param book its side's; opened when the first member needs it
    /// @param bids its packed bids from `bids[s.from]` on; zeros if it never revealed
    /// @return dues all of it
    /// @return released what becomes free, wei
    function duesOf(
        Statement memory s,
        ClarkeTax.Book memory book,
        Round storage round,
        Member member,
        address account,
        uint256[] calldata bids
    ) internal view returns (Dues memory dues, uint256 released) {
        uint256 side = member.side();
        uint256 bond = s.terms.bond();
        bool drawn = s.terms.isDrawn();
        bool absent = member.isAt(Stage.Joined);
        // Nobody waits for who never committed, but whether a proposer loses its bond is known with the draw.
        bool early = absent && block.timestamp >= s.terms.commitDeadline() && (drawn || !member.isProposer());
        if (!s.open && !early) revert IHCFL.SettlementNotOpen(s.roundId, s.conduct.status());
        if (absent) {
            if (drawn && member.isProposer()) dues.slashed = bond;
        } else {
            dues.claimant = s.terms.isClaimant(member);
            if (drawn && !dues.claimant && member.isAt(Stage.Committed)) dues.slashed = bond;
            uint256 share;
            if (s.taxed) {
                if (dues.claimant) {
                    share = claimantShareOf(s, round);
                } else {
                    checkBids(member, account, bids, s.from, s.terms.bidWords());
                    if (book.rows.length == 0) openBook(book, s, round, side);
                    (share, dues.tax) = ClarkeTax.shareAndTax(book, side == OWNERS ? member.points() : 1, bids, s.from);
                }
            }
            if (side == STATIONS) stationsDues(dues, s, member, share, bond);
            else ownersDues(dues, s, member, share, bond);
        }
        released = collect(dues, s.terms.largestPayment(side, member.points()) + bond);
        // A stake is locked beside the rest, and only shared out again: at most all of them go to one.
        unchecked {
            if (side == STATIONS) released += s.draw.stake() + uint256(dues.bonus);
        }
    }

    /// @dev A bad winner's bond is taken once, if it was silent as well.
    function ownersDues(Dues memory dues, Statement memory s, Member member, uint256 share, uint256 bond) private pure {
        dues.share = share;
        if (member.proposed(s.selected) && s.punished) dues.slashed = bond;
    }

    /// @dev Where nothing is selected it is 0.
    function claimantShareOf(Statement memory s, Round storage round) private view returns (uint256) {
        uint256 model = s.selected;
        if (model == ClarkeTax.NONE) return 0;
        uint256 w = Lanes.wordOf(model);
        uint256 value = Lanes.lane(round.sums[OWNERS].atStorage(w), model) * 1 gwei;
        uint256 cost = Lanes.lane(round.sums[STATIONS].atStorage(w), model) * 1 gwei;
        return ClarkeTax.claimantShare(s.draw.theta(), s.ledger.committed(STATIONS), value, cost);
    }

    /// @dev Paid by the part of the global rounds that it recorded; the bond is lost by the other part, or by an upheld zero.
    function stationsDues(Dues memory dues, Statement memory s, Member member, uint256 share, uint256 bond)
        private
        pure
    {
        if (s.selected == ClarkeTax.NONE) return;
        unchecked {
            uint256 all = s.conduct.globalRounds();
            uint256 recorded = member.recorded();
            dues.reward = share * recorded / all;
            if (recorded != all) {
                dues.forfeited = share - dues.reward;
                dues.slashed = (bond * (all - recorded) + all - 1) / all;
            }
            if (s.upheld) {
                uint256 points = member.points();
                if (points == 0 && member.listed()) dues.slashed = bond;
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
