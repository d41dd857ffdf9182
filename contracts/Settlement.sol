// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "./ClarkeTax.sol";
import {Lanes} from "./Lanes.sol";
import {Role, Stage, Status} from "./interfaces/IHCFL.sol";
import {Conduct} from "./types/Conduct.sol";
import {Draw} from "./types/Draw.sol";
import {Ledger} from "./types/Ledger.sol";
import {Member} from "./types/Member.sol";
import {Round} from "./types/Round.sol";
import {Terms} from "./types/Terms.sol";

/// @title What a settled member owes and is owed
/// @notice Reads a round once into a Statement and then works out one member after the other. Changes nothing.
library Settlement {
    /// @notice A round as its settlement sees it.
    /// @param status Cancelled, NothingTrained, Reported or Aborted
    /// @param trained whether shares and rewards move: reported, and somebody recorded an update
    /// @param punished whether the winner's bond is slashed by vote
    /// @param lenient whether explicit zeros and absence are forgiven: the winner is punished or recorded no global round
    /// @param silenceSlashed whether a bid that was never revealed costs the bond
    /// @param books each side's book, by role; without rows until its first member comes
    struct Statement {
        uint256 roundId;
        Status status;
        bool trained;
        bool punished;
        bool lenient;
        bool silenceSlashed;
        Ledger ledger;
        Terms terms;
        Conduct conduct;
        ClarkeTax.Book[2] books;
    }

    /// @notice What is collected from a member and paid to it, wei.
    /// @param slashedOutside whether the slashed bond goes to the other side's rebates
    /// @param slashedToRecorders whether it goes to those who recorded an update, with the share (the winner of an aborted round)
    struct Dues {
        uint256 share;
        uint256 tax;
        uint256 slashed;
        uint256 reward;
        uint256 forfeited;
        uint256 released;
        bool slashedOutside;
        bool slashedToRecorders;
    }

    /// @dev A side has fewer than two committed members, or no proposer committed.
    function cannotBeHeld(Ledger ledger, Conduct conduct) internal pure returns (bool) {
        return ledger.committed(Role.Owner) < 2 || ledger.committed(Role.BaseStation) < 2 || conduct.live() == 0;
    }

    /// @notice Reads what is common to all members.
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
        s.status = status;
        s.ledger = ledger;
        s.terms = terms;
        s.conduct = conduct;
        s.silenceSlashed = status != Status.Cancelled || !cannotBeHeld(ledger, conduct);
        if (status == Status.Reported) {
            // Punished if votes for · 10,000 > threshold · electors; electors are the committed owners but the winner.
            s.punished = conduct.votesFor() * 10_000 > round.draw.thresholdBps() * (ledger.committed(Role.Owner) - 1);
            s.trained = conduct.recorders() != 0;
            s.lenient = s.punished || !conduct.guided();
        }
    }

    /// @notice One side's book, from the sums of both; read when its first member comes.
    /// @dev O(models). Structs are filled in, not returned: a returned one is allocated and zeroed once more.
    function openBook(Statement memory s, Round storage round, Role role) internal view {
        ClarkeTax.Book memory book = s.books[uint256(role)];
        if (book.rows.length != 0) return;
        Draw draw = round.draw;
        book.owners = role == Role.Owner;
        book.weighted = s.terms.weighted(role);
        book.live = s.conduct.live();
        book.selected = s.status == Status.NothingTrained ? ClarkeTax.NONE : s.conduct.selected();
        book.capPerPoint = s.terms.cap(role) * 1 gwei;
        ClarkeTax.setWeights(book, draw.theta(), s.ledger.committed(role), draw.points(role));
        uint256 part = ClarkeTax.otherPart(book, draw.theta());
        uint256 models = s.terms.modelCount();
        uint256[17] storage ownSums = round.sums[uint256(role)];
        uint256[17] storage otherSums = round.sums[1 - uint256(role)];
        unchecked {
            uint256[] memory rows = new uint256[](2 * models);
            uint256 coefficient = book.coefficient;
            bool weighted = book.weighted;
            uint256 ownWord = ownSums[0] >> 64;
            uint256 otherWord = otherSums[0] >> 64;
            for (uint256 m; m < models; ++m) {
                // New words of four lanes at m = 3, 7, …
                if ((m + 1) & 3 == 0) {
                    ownWord = ownSums[Lanes.wordOf(m)];
                    otherWord = otherSums[Lanes.wordOf(m)];
                }
                uint256 own = (ownWord & Lanes.LANE) * 1 gwei;
                uint256 basis = weighted ? Lanes.wide(round.terms128[uint256(role)][m >> 1], m) : own;
                ClarkeTax.setRow(rows, m, coefficient, part, own, (otherWord & Lanes.LANE) * 1 gwei, basis);
                ownWord >>= 64;
                otherWord >>= 64;
            }
            book.rows = rows;
        }
    }

    /// @notice What a committed member owes and is owed.
    /// @param bids its packed bids from `bids[from]` on; zeros if it never revealed
    function duesOf(
        Dues memory dues,
        Statement memory s,
        Round storage round,
        Member member,
        uint256[] calldata bids,
        uint256 from
    ) internal view {
        Role role = member.role();
        bool silent = member.stage() == Stage.Committed;
        bool winner = s.status >= Status.Training && member.proposed(s.conduct.selected());
        uint256 bond = s.terms.bond();
        if (silent && s.silenceSlashed) dues.slashed = bond;

        if (s.status == Status.NothingTrained || s.status == Status.Reported || (s.status == Status.Aborted && winner))
        {
            uint256 points = s.terms.weighted(role) ? member.points() : 1;
            openBook(s, round, role);
            (dues.share, dues.tax) = ClarkeTax.shareAndTax(s.books[uint256(role)], points, bids, from);
        }
        if (role == Role.Owner) {
            bool owesShare = s.trained || (s.status == Status.Aborted && winner && s.conduct.recorders() != 0);
            if (!owesShare) dues.share = 0;
            if (winner && !silent && (s.punished || s.status == Status.Aborted)) {
                dues.slashed = bond;
                dues.slashedToRecorders = s.status == Status.Aborted && s.conduct.recorders() != 0;
                dues.slashedOutside = !dues.slashedToRecorders;
            }
        } else if (s.trained) {
            uint256 reward = s.terms.byContribution() && !s.punished
                ? contributionRewardOf(s, round, member, bids, from)
                : dues.share;
            dues.share = 0;
            bool excluded = !member.recorded() || (member.listedZero() && !s.lenient);
            if (excluded) dues.forfeited = reward;
            else dues.reward = reward;
            if (excluded && !s.lenient) dues.slashed = bond;
        } else {
            dues.share = 0;
            if (s.status == Status.Aborted && member.recorded()) dues.reward = round.partPerRecorder;
        }
        collect(dues, s.terms.lockOf(role, role == Role.Owner ? member.points() : 1));
    }

    /// @notice What a member that joined and never committed owes: a proposer its bond, unless its side has no committed member.
    /// @dev Its share of the rebates' outside is counted by `rebateOf`, so that it does not matter when it is settled.
    function duesOfAbsentee(Dues memory dues, Statement memory s, Member member) internal pure {
        if (member.isProposer() && s.ledger.committed(Role.Owner) != 0) dues.slashed = s.terms.bond();
        collect(dues, s.terms.lockOf(member.role(), member.role() == Role.Owner ? member.points() : 1));
    }

    /// @dev Collects from the lock and the reward, in this order and never more: share, slashed bond, tax.
    function collect(Dues memory dues, uint256 lock) internal pure {
        unchecked {
            uint256 left = lock + dues.reward; // below 2^109
            if (dues.share > left) dues.share = left;
            left -= dues.share;
            if (dues.slashed > left) dues.slashed = left;
            left -= dues.slashed;
            if (dues.tax > left) dues.tax = left;
            dues.released = left - dues.tax;
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
        uint256 model = s.conduct.selected();
        uint256 w = Lanes.wordOf(model);
        uint256 ownTerm = ClarkeTax.contributionTerm(Lanes.lane(bids[from + w], model) * 1 gwei, points);
        uint256 value = Lanes.lane(round.sums[uint256(Role.Owner)][w], model) * 1 gwei;
        uint256 cost = Lanes.lane(round.sums[uint256(Role.BaseStation)][w], model) * 1 gwei;
        uint256 termsSum = cost + round.contributions.excess;
        return ClarkeTax.contributionReward(round.draw.theta(), points, termsSum, ownTerm, value);
    }

    /// @notice What a settled member gets back: `⌊(inside − what it put in) / (n − 1)⌋ + ⌊outside / n⌋`.
    /// @dev The bonds of proposers that never committed count as outside of the owners' side from the start, so that it does not
    /// matter when they are settled.
    function rebateOf(Round storage round, Member member) internal view returns (uint256 amount) {
        Role role = member.role();
        uint256 members = round.ledger.committed(role);
        uint256 outside = round.pots[uint256(role)].outside;
        if (role == Role.Owner) {
            Terms terms = round.terms;
            uint256 dead = terms.modelCount();
            for (uint256 live = round.conduct.live(); live != 0; live &= live - 1) {
                --dead;
            }
            outside += dead * terms.bond();
        }
        // A lone member's side has put nothing in: its round was cancelled and nobody slashed for silence.
        if (members > 1) amount = (round.pots[uint256(role)].inside - member.payload()) / (members - 1);
        amount += outside / members;
    }
}
