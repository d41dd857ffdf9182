// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "./Lanes.sol";
import {Settlement} from "./Settlement.sol";
import {IHCFL, Phase, Policy, Role, Stage, Status} from "./interfaces/IHCFL.sol";
import {Conduct} from "./types/Conduct.sol";
import {Draw} from "./types/Draw.sol";
import {Ledger} from "./types/Ledger.sol";
import {Member} from "./types/Member.sol";
import {Round} from "./types/Round.sol";
import {OWNERS, STATIONS} from "./types/Side.sol";
import {MAX_BOND, MAX_CAP, Terms} from "./types/Terms.sol";

/// @title The rounds: their storage, what guards it, and what can be read of it (views are documented in `IHCFL`)
abstract contract Rounds is IHCFL {
    /// @dev Seconds: no phase passes without a block, and half of the reveal phase holds the wait before the draw and its window.
    uint256 internal constant SHORTEST_PHASE = 60;
    uint256 internal constant SHORTEST_REVEAL_PHASE = 240;
    /// @dev Seconds from the commit deadline to the draw.
    uint256 internal constant DRAW_DELAY = 60;

    uint256 public roundCount;

    mapping(uint256 roundId => Round) internal _rounds;

    // ─────────────────────────────────────────────── views ─────────────────────────────────────────────

    function roundOf(uint256 roundId) external view returns (RoundView memory v) {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        Conduct conduct = round.conduct;
        Terms terms = round.terms;
        Draw draw = round.draw;
        v.status = _statusOf(ledger, terms, conduct, draw);
        v.phase = _phaseOf(round, ledger, terms, conduct, v.status);
        v.thetaNumerator = uint64(draw.theta());
        v.claimant = terms.claimant();
        v.modelCount = terms.modelCount();
        v.live = draw.live();
        v.selected = conduct.selected();
        v.globalRounds = conduct.globalRounds();
        for (uint256 i; i < 2; ++i) {
            v.committed[i] = ledger.committed(i);
            v.revealed[i] = Lanes.count(round.sums[i][0]);
        }
        v.points = ledger.points();
        v.recorders = conduct.recorders();
        v.finished = conduct.finished();
        v.listedPoints = draw.listed();
        (v.votesPunish, v.votesUphold) = conduct.verdicts();
        v.votesCast = conduct.votesCast();
        v.escrow = ledger.escrow();
        v.lot = round.lot;
    }

    function termsOf(uint256 roundId) external view returns (RoundTerms memory terms, bytes32 door) {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        Terms packed = round.terms;
        Conduct conduct = round.conduct;
        Draw draw = round.draw;
        terms.maxOwnerBid = uint64(packed.cap(OWNERS));
        terms.maxStationBid = uint64(packed.cap(STATIONS));
        terms.bond = packed.bond();
        terms.contributionStake = draw.stake();
        if (packed.isWeighted()) terms.ownerPolicy = Policy.Capability;
        (uint256 lo, uint256 hi) = draw.surplusBps();
        (terms.surplusMinBps, terms.surplusMaxBps) = (uint16(lo), uint16(hi));
        terms.thresholdBps = uint16(draw.thresholdBps());
        terms.toleranceBps = uint16(draw.toleranceBps());
        terms.maxModels = uint8(packed.maxModels());
        terms.deadlines = Deadlines(
            uint40(ledger.joinDeadline()),
            uint40(ledger.commitDeadline()),
            uint40(packed.revealDeadline()),
            uint40(conduct.selectDeadline()),
            uint40(conduct.trainDeadline()),
            uint40(conduct.reportDeadline()),
            uint40(conduct.voteDeadline())
        );
        door = round.door;
    }

    function modelOf(uint256 roundId, uint256 model) external view returns (Model memory) {
        return _rounds[roundId].models[model];
    }

    function memberOf(uint256 roundId, address account) external view returns (MemberView memory) {
        Round storage round = _rounds[roundId];
        Member member = round.members[account];
        return MemberView(
            member.stage(),
            Role(member.side()),
            uint32(member.points()),
            member.isProposer(),
            member.model(),
            member.ordinal(),
            round.terms.isClaimant(member),
            member.recorded(),
            member.listed(),
            member.voted(),
            member.sealedBid()
        );
    }

    function sumsOf(uint256 roundId) external view returns (uint256[] memory values, uint256[] memory costs) {
        Round storage round = _rounds[roundId];
        uint256 models = round.terms.modelCount();
        values = new uint256[](models);
        costs = new uint256[](models);
        for (uint256 m; m < models; ++m) {
            values[m] = Lanes.lane(round.sums[OWNERS][Lanes.wordOf(m)], m);
            costs[m] = Lanes.lane(round.sums[STATIONS][Lanes.wordOf(m)], m);
        }
    }

    function lockOf(uint256 roundId, Role role, uint32 points) public view returns (uint256) {
        Round storage round = _rounds[roundId];
        return _lockOf(round, round.terms, uint256(role), points);
    }

    function worstLossOf(uint256 roundId, Role role, uint32 points) external view returns (uint256) {
        return lockOf(roundId, role, points) - _rounds[roundId].terms.bond();
    }

    function lotOf(uint256 roundId) external view returns (uint256) {
        return _rounds[roundId].lot;
    }

    function termsHashOf(RoundTerms calldata terms) public pure returns (bytes32) {
        return keccak256(abi.encode(terms));
    }

    function doorOf(bytes32 membershipRoot, bytes32 termsHash) public pure returns (bytes32) {
        return keccak256(abi.encode(membershipRoot, termsHash));
    }

    function commitmentOf(uint256 roundId, address member, uint256[] calldata bids, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), roundId, member, bids, salt));
    }

    function ownersDigestOf(uint256 roundId, address proposer, Opening calldata opening) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), roundId, proposer, opening));
    }

    // ────────────────────────────────────────────── guards ─────────────────────────────────────────────

    /// @dev Refuses terms of a round that could not be held or ended.
    // Many branches, but a list: each refuses one thing and none is inside another.
    // slither-disable-next-line cyclomatic-complexity
    function _checkTerms(RoundTerms calldata terms) internal view {
        if (terms.maxOwnerBid == 0 || terms.maxOwnerBid > MAX_CAP) revert InvalidCap(terms.maxOwnerBid);
        if (terms.maxStationBid == 0 || terms.maxStationBid > MAX_CAP) revert InvalidCap(terms.maxStationBid);
        uint256 minimum = terms.maxStationBid * uint256(1 gwei);
        if (terms.bond < minimum || terms.bond > MAX_BOND) revert BondOutOfRange(terms.bond, minimum, MAX_BOND);
        if (terms.bond % 1 gwei != 0) revert NotWholeGwei(terms.bond);
        uint256 maximum = MAX_CAP * 1 gwei;
        if (terms.contributionStake > maximum) revert StakeOutOfRange(terms.contributionStake, maximum);
        if (terms.contributionStake % 1 gwei != 0) revert NotWholeGwei(terms.contributionStake);
        uint256 largest = terms.ownerPolicy == Policy.Capability ? 0 : 9_999;
        if (terms.surplusMinBps > terms.surplusMaxBps || terms.surplusMaxBps > largest) {
            revert InvalidSurplusRange(terms.surplusMinBps, terms.surplusMaxBps);
        }
        if (terms.thresholdBps < 5_000 || terms.thresholdBps > 9_999) revert InvalidThreshold(terms.thresholdBps);
        if (terms.toleranceBps > 9_999) revert InvalidTolerance(terms.toleranceBps);
        if (terms.maxModels == 0 || terms.maxModels > 64) revert InvalidMaxModels(terms.maxModels);
        Deadlines calldata d = terms.deadlines;
        uint40[7] memory times = [d.join, d.commit, d.reveal, d.select, d.train, d.report, d.vote];
        uint256 before = block.timestamp;
        for (uint256 i; i < 7; ++i) {
            uint256 earliest = before + (i == 2 ? SHORTEST_REVEAL_PHASE : SHORTEST_PHASE);
            if (times[i] < earliest) revert InvalidDeadline(i, times[i], earliest);
            before = times[i];
        }
        if (before > block.timestamp + 365 days) revert DeadlineTooFar(before, block.timestamp + 365 days);
    }

    function _ledgerOf(Round storage round, uint256 roundId) internal view returns (Ledger ledger) {
        ledger = round.ledger;
        if (Ledger.unwrap(ledger) == 0) revert UnknownRound(roundId);
    }

    /// @dev The conduct of a round that has this status.
    function _conductOf(Round storage round, uint256 roundId, Status required) internal view returns (Conduct conduct) {
        conduct = round.conduct;
        Status status = conduct.status();
        if (status == required) return conduct;
        if (status == Status.None) revert UnknownRound(roundId);
        revert WrongStatus(roundId, status, required);
    }

    function _memberOf(Round storage round, uint256 roundId, address account) internal view returns (Member member) {
        member = round.members[account];
        if (member.isAt(Stage.None)) revert NotAMember(roundId, account);
    }

    /// @dev The caller as proposer of the selected model.
    function _winnerOf(Round storage round, Conduct conduct) internal view returns (Member member) {
        member = round.members[msg.sender];
        if (!member.proposed(conduct.selected())) revert NotTheWinner(msg.sender);
    }

    function _requireBefore(uint256 roundId, uint256 deadline) internal view {
        if (block.timestamp >= deadline) revert DeadlinePassed(roundId, deadline);
    }

    function _requireFrom(uint256 roundId, uint256 opensAt) internal view {
        if (block.timestamp < opensAt) revert PhaseNotOpen(roundId, opensAt);
    }

    function _requireDrawn(Round storage round, uint256 roundId, Terms terms) internal view {
        if (terms.isDrawn()) return;
        _ledgerOf(round, roundId);
        revert NotDrawn(roundId);
    }

    function _requireCommitPhase(uint256 roundId, Ledger ledger) internal view {
        _requireFrom(roundId, ledger.joinDeadline());
        _requireBefore(roundId, ledger.commitDeadline());
    }

    function _requireRole(Member member, address account, Role required) internal pure {
        if (member.side() != uint256(required)) revert WrongRole(account, Role(member.side()), required);
    }

    /// @dev Global rounds are recorded in order.
    function _record(Member member, Conduct conduct, uint256 globalRound) internal pure returns (Member) {
        uint256 next = member.recorded();
        if (globalRound != next || next == conduct.globalRounds()) {
            revert WrongGlobalRound(globalRound, next, conduct.globalRounds());
        }
        return member.withRecord();
    }

    /// @dev What a member locks, wei.
    function _lockOf(Round storage round, Terms terms, uint256 side, uint256 points) internal view returns (uint256) {
        unchecked {
            uint256 stake = side == STATIONS && terms.isStaked() ? round.draw.stake() : 0;
            return terms.largestPayment(side, points) + terms.bond() + stake; // below 2^108
        }
    }

    // ──────────────────────────────────────────── the clock ────────────────────────────────────────────

    /// @dev A round that was never selected is cancelled by the select deadline, one that was not drawn by the end of the draw's
    /// window, one that cannot be held by the commit deadline.
    function _statusOf(Ledger ledger, Terms terms, Conduct conduct, Draw draw) internal view returns (Status status) {
        status = conduct.status();
        if (
            status == Status.Open
                && (block.timestamp >= conduct.selectDeadline()
                    || (block.timestamp >= terms.drawDeadline() && !terms.isDrawn())
                    || (block.timestamp >= terms.commitDeadline() && Settlement.cannotBeHeld(ledger, draw)))
        ) status = Status.Cancelled;
    }

    /// @dev After a report the vote comes first, until all electors have voted or its deadline.
    function _settlementOpen(Ledger ledger, Conduct conduct, Status status) internal view returns (bool) {
        if (status == Status.Reported) {
            return conduct.votesCast() == ledger.committed(OWNERS) - 1 || block.timestamp >= conduct.voteDeadline();
        }
        return status == Status.Cancelled || status == Status.NothingTrained || status == Status.Aborted;
    }

    /// @dev Whether every bid that can be revealed is: all but the claimant's.
    function _allRevealed(Round storage round, Ledger ledger) internal view returns (bool) {
        return Lanes.count(round.sums[OWNERS][0]) == ledger.committed(OWNERS)
            && Lanes.count(round.sums[STATIONS][0]) + 1 == ledger.committed(STATIONS);
    }

    /// @dev The phase now, early ends included. Train lasts until its deadline, or until the report.
    function _phaseOf(Round storage round, Ledger ledger, Terms terms, Conduct conduct, Status status)
        private
        view
        returns (Phase)
    {
        if (_settlementOpen(ledger, conduct, status)) return Phase.Settle;
        if (status == Status.Reported) return Phase.Vote;
        if (status == Status.Training) return block.timestamp < conduct.trainDeadline() ? Phase.Train : Phase.Report;
        if (block.timestamp < ledger.joinDeadline()) return Phase.Join;
        if (block.timestamp < ledger.commitDeadline()) return Phase.Commit;
        if (!terms.isDrawn()) return Phase.Draw;
        return block.timestamp >= terms.revealDeadline() || _allRevealed(round, ledger) ? Phase.Select : Phase.Reveal;
    }
}
