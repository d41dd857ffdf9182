// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "./ClarkeTax.sol";
import {Lanes} from "./Lanes.sol";
import {WeightedTerms} from "./WeightedTerms.sol";
import {Words} from "./Words.sol";
import {Stage, Status} from "./interfaces/IHCFL.sol";
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
    /// @param conduct as it was read; its status may still be Open in a round that a deadline has just cancelled
    /// @param draw not read in a cancelled round
    /// @param selected the selected model, or NONE
    /// @param taxed whether everybody's share and tax are worked out: reported, or nothing trained
    /// @param trained whether shares and rewards move: reported, and somebody recorded an update
    /// @param aborted whether the winner never reported
    /// @param punished whether the winner's bond is slashed by vote
    /// @param lenient whether explicit zeros and absence are forgiven: the winner is punished or recorded no global round
    /// @param silenceSlashed whether a bid that was never revealed costs the bond
    struct Statement {
        uint256 roundId;
        Ledger ledger;
        Terms terms;
        Conduct conduct;
        Draw draw;
        uint256 selected;
        bool taxed;
        bool trained;
        bool aborted;
        bool punished;
        bool lenient;
        bool silenceSlashed;
    }

    /// @notice What is collected from a member and paid to it, wei. `share`, `slashed` and `tax` are what it owes until `collect`
    /// cuts them to what its lock and reward hold.
    /// @param share its share of the total payment (owners)
    /// @param tax its Clarke tax
    /// @param slashed its bond, where it is lost
    /// @param reward what it earns (base stations)
    /// @param forfeited the reward that it lost
    /// @param slashedOutside whether the slashed bond goes to the other side's rebates
    /// @param slashedToRecorders whether it goes to those who recorded an update, with the share (the winner of an aborted round)
    struct Dues {
        uint256 share;
        uint256 tax;
        uint256 slashed;
        uint256 reward;
        uint256 forfeited;
        bool slashedOutside;
        bool slashedToRecorders;
    }

    /// @dev A side has fewer than two committed members, or no proposer committed.
    function cannotBeHeld(Ledger ledger, Conduct conduct) internal pure returns (bool) {
        return ledger.committed(OWNERS) < 2 || ledger.committed(STATIONS) < 2 || conduct.live() == 0;
    }

    /// @notice Reads what is common to all members.
    /// @param status Cancelled, NothingTrained, Reported or Aborted
    /// @dev Structs are filled in, not returned: a returned one is allocated and zeroed once more.
    function read(
        Statement memory s,
        Round storage round,
        uint256 roundId,
        Status status,
        Ledger ledger,
        Terms terms,
        Conduct conduct
    ) internal view {
        s.roundId = roundId;
        s.ledger = ledger;
        s.terms = terms;
        s.conduct = conduct;
        s.selected = ClarkeTax.NONE;
        if (status == Status.Cancelled) {
            s.silenceSlashed = !cannotBeHeld(ledger, conduct);
            return;
        }
        s.silenceSlashed = true;
        s.draw = round.draw;
        s.taxed = true;
        if (status == Status.NothingTrained) return;
        s.selected = conduct.selected();
        if (status == Status.Aborted) {
            s.aborted = true;
            s.taxed = false;
        } else {
            // Punished if votes for · 10,000 > threshold · electors; electors are the committed owners but the winner.
            s.punished = conduct.votesFor() * 10_000 > s.draw.thresholdBps() * (ledger.committed(OWNERS) - 1);
            s.trained = conduct.recorders() != 0;
            s.lenient = s.punished || !conduct.guided();
        }
    }

    /// @notice One side's book, from the sums of both. O(models).
    function openBook(ClarkeTax.Book memory book, Statement memory s, Round storage round, uint256 side) internal view {
        book.owners = side == OWNERS;
        book.weighted = s.terms.weighted(side);
        book.selected = s.selected;
        book.total = s.draw.points(side);
        book.capPerPoint = s.terms.cap(side) * 1 gwei;
        unchecked {
            // The base of a share in the sums, which are gwei: own factor · own sum (or · T) + other factor · other sum.
            uint256 other = ClarkeTax.setWeights(book, s.draw.theta(), s.ledger.committed(side)) * 1 gwei;
            uint256 own = book.weighted ? 0 : book.coefficient * 1 gwei;
            (uint256 valueFactor, uint256 costFactor) = side == OWNERS ? (own, other) : (other, own);

            uint256 models = s.terms.modelCount();
            uint256[] memory rows = Words.allocate(2 * models);
            book.rows = rows;
            uint256 live = s.conduct.live();
            uint256 m;
            for (uint256 w; m < models; ++w) {
                uint256 values = round.sums[OWNERS].atStorage(w);
                uint256 costs = round.sums[STATIONS].atStorage(w);
                // The bids of this word end before model 4 w + 3; word 0 starts with the counter.
                if (w == 0) (values, costs) = (values >> 64, costs >> 64);
                for (uint256 end = Lanes.firstAfter(w, models); m < end; ++m) {
                    uint256 value = values & Lanes.LANE;
                    uint256 cost = costs & Lanes.LANE;
                    rows.put(2 * m, live & 1 == 0 ? uint256(ClarkeTax.DEAD) : (value - cost) * 1 gwei);
                    rows.put(2 * m + 1, valueFactor * value + costFactor * cost);
                    (values, costs, live) = (values >> 64, costs >> 64, live >> 1);
                }
            }
            if (book.weighted) addTerms(book, round.terms128[side], models);
        }
    }

    /// @dev Adds `coefficient · T` to each base of a weighted side.
    function addTerms(ClarkeTax.Book memory book, uint256[32] storage sums, uint256 models) internal view {
        unchecked {
            for (uint256 m; m < models; ++m) {
                uint256 base = book.rows.get(2 * m + 1) + book.coefficient * WeightedTerms.sumOf(sums, m);
                book.rows.put(2 * m + 1, base);
            }
        }
    }

    /// @notice What a committed member owes and is owed.
    /// @param book its side's; opened when the first member needs it
    /// @param bids its packed bids from `bids[from]` on; zeros if it never revealed
    /// @return released what becomes free of its lock and reward, wei
    // The cases are the mechanism's. Each amount is set in one place, so that one can see when a member owes it.
    // slither-disable-next-line cyclomatic-complexity
    function duesOf(
        Dues memory dues,
        Statement memory s,
        ClarkeTax.Book memory book,
        Round storage round,
        Member member,
        uint256[] calldata bids,
        uint256 from
    ) internal view returns (uint256 released) {
        uint256 side = member.side();
        bool silent = member.isAt(Stage.Committed);
        bool winner = member.proposed(s.selected);
        if (silent && s.silenceSlashed) dues.slashed = s.terms.bond();

        uint256 share;
        if (s.taxed || (s.aborted && winner)) {
            if (book.rows.length == 0) openBook(book, s, round, side);
            (share, dues.tax) = ClarkeTax.shareAndTax(book, book.weighted ? member.points() : 1, bids, from);
        }
        if (side == OWNERS) {
            bool recorded = s.conduct.recorders() != 0;
            if (s.trained || (s.aborted && winner && recorded)) dues.share = share;
            if (winner && !silent && (s.punished || s.aborted)) {
                dues.slashed = s.terms.bond();
                dues.slashedToRecorders = s.aborted && recorded;
                dues.slashedOutside = !dues.slashedToRecorders;
            }
        } else if (s.trained) {
            uint256 reward =
                s.terms.byContribution() && !s.punished ? contributionRewardOf(s, round, member, bids, from) : share;
            bool excluded = !member.recorded() || (member.listedZero() && !s.lenient);
            if (excluded) dues.forfeited = reward;
            else dues.reward = reward;
            if (excluded && !s.lenient) dues.slashed = s.terms.bond();
        } else if (s.aborted && member.recorded()) {
            dues.reward = round.partPerRecorder;
        }
        return collect(dues, s.terms.lockOf(side, member.points()));
    }

    /// @notice What a member that joined and never committed owes: a proposer its bond, unless its side has no committed member.
    /// @dev Its share of the rebates' outside is counted by `rebateOf`, so that it does not matter when it is settled.
    function duesOfAbsentee(Dues memory dues, Statement memory s, Member member)
        internal
        pure
        returns (uint256 released)
    {
        if (member.isProposer() && s.ledger.committed(OWNERS) != 0) dues.slashed = s.terms.bond();
        return collect(dues, s.terms.lockOf(member.side(), member.points()));
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

    /// @dev A base station's reward from the points that the winner reported, at the selected model.
    function contributionRewardOf(
        Statement memory s,
        Round storage round,
        Member member,
        uint256[] calldata bids,
        uint256 from
    ) internal view returns (uint256) {
        uint256 points = member.points();
        if (points == 0) return 0;
        uint256 model = s.selected;
        uint256 w = Lanes.wordOf(model);
        uint256 ownTerm = ClarkeTax.contributionTerm(Lanes.bidAt(bids, from, model) * 1 gwei, points);
        uint256 value = Lanes.lane(round.sums[OWNERS].atStorage(w), model) * 1 gwei;
        uint256 cost = Lanes.lane(round.sums[STATIONS].atStorage(w), model) * 1 gwei;
        uint256 termsSum = cost + round.contributions.excess;
        return ClarkeTax.contributionReward(s.draw.theta(), points, termsSum, ownTerm, value);
    }

    /// @notice What a settled member gets back: `⌊(inside − what it put in) / (n − 1)⌋ + ⌊outside / n⌋`.
    /// @dev The bonds of proposers that never committed count as outside of the owners' side from the start, so that it does not
    /// matter when they are settled.
    function rebateOf(Round storage round, Member member) internal view returns (uint256 amount) {
        uint256 side = member.side();
        uint256 members = round.ledger.committed(side);
        uint256 outside = round.pots[side].outside;
        if (side == OWNERS) {
            Terms terms = round.terms;
            uint256 dead = terms.modelCount();
            for (uint256 live = round.conduct.live(); live != 0; live &= live - 1) {
                --dead;
            }
            outside += dead * terms.bond();
        }
        // A lone member's side has put nothing in: its round was cancelled and nobody slashed for silence.
        if (members > 1) amount = (round.pots[side].inside - member.payload()) / (members - 1);
        amount += outside / members;
    }
}
