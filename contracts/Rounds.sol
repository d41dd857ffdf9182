// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "./Lanes.sol";
import {Settlement} from "./Settlement.sol";
import {Words} from "./Words.sol";
import {IHCFL, Phase, Policy, Role, Stage, Status} from "./interfaces/IHCFL.sol";
import {Conduct} from "./types/Conduct.sol";
import {Draw} from "./types/Draw.sol";
import {Ledger} from "./types/Ledger.sol";
import {Member} from "./types/Member.sol";
import {Round} from "./types/Round.sol";
import {OWNERS, STATIONS} from "./types/Side.sol";
import {MAX_BOND, MAX_CAP, Terms} from "./types/Terms.sol";

/// @title The rounds: their storage, what guards it, and what can be read of it
abstract contract Rounds is IHCFL {
    using Words for uint256[];

    /// @inheritdoc IHCFL
    uint256 public roundCount;

    mapping(uint256 roundId => Round) internal _rounds;

    // ─────────────────────────────────────────────── views ─────────────────────────────────────────────

    /// @inheritdoc IHCFL
    function roundOf(uint256 roundId) external view returns (RoundView memory v) {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        Conduct conduct = round.conduct;
        Draw draw = round.draw;
        v.status = _statusOf(ledger, conduct);
        v.phase = _phaseOf(round, ledger, conduct);
        v.thetaNumerator = uint64(draw.theta());
        v.modelCount = round.terms.modelCount();
        v.live = conduct.live();
        v.selected = conduct.selected();
        v.recorders = conduct.recorders();
        v.guided = conduct.guided();
        v.votesFor = conduct.votesFor();
        v.votesCast = conduct.votesCast();
        v.settled = ledger.settled();
        v.escrow = ledger.escrow();
        for (uint256 i; i < 2; ++i) {
            v.committed[i] = ledger.committed(i);
            v.points[i] = round.terms.weighted(i) ? draw.points(i) : v.committed[i];
            v.revealed[i] = Lanes.count(round.sums[i][0]);
        }
    }

    /// @inheritdoc IHCFL
    function modelOf(uint256 roundId, uint256 model) external view returns (Model memory) {
        return _rounds[roundId].models[model];
    }

    /// @inheritdoc IHCFL
    function memberOf(uint256 roundId, address account) external view returns (MemberView memory) {
        Member member = _rounds[roundId].members[account];
        return MemberView(
            member.stage(),
            member.role(),
            uint32(member.points()),
            member.isProposer(),
            member.model(),
            member.recorded(),
            member.listedZero(),
            member.voted(),
            member.payload()
        );
    }

    /// @inheritdoc IHCFL
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

    /// @inheritdoc IHCFL
    function lockOf(uint256 roundId, Role role, uint32 points) external view returns (uint256) {
        return _rounds[roundId].terms.lockOf(uint256(role), points);
    }

    /// @inheritdoc IHCFL
    function rebateOf(uint256 roundId, address account) external view returns (uint256) {
        Round storage round = _rounds[roundId];
        Member member = round.members[account];
        if (!member.isAt(Stage.Settled) || !round.ledger.allSettled()) return 0;
        return Settlement.rebateOf(round, member);
    }

    /// @inheritdoc IHCFL
    function commitmentOf(uint256 roundId, address member, uint256[] calldata bids, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), roundId, member, bids, salt));
    }

    /// @inheritdoc IHCFL
    function ownersDigestOf(uint256 roundId, address proposer, Opening calldata opening) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), roundId, proposer, opening));
    }

    // ────────────────────────────────────────────── guards ─────────────────────────────────────────────

    /// @dev Refuses parameters of a round that could not be held or ended.
    // Many branches, but a list: each refuses one thing and none is inside another.
    // slither-disable-next-line cyclomatic-complexity
    function _checkParams(RoundParams calldata params) internal view {
        if (params.maxOwnerBid == 0 || params.maxOwnerBid > MAX_CAP) revert InvalidCap(params.maxOwnerBid);
        if (params.maxBaseBid == 0 || params.maxBaseBid > MAX_CAP) revert InvalidCap(params.maxBaseBid);
        // A reward by contribution can turn out twice the cap from the truth; the bond covers it.
        uint256 minimum = params.maxBaseBid * (params.basePolicy == Policy.Contribution ? 2 gwei : uint256(1 gwei));
        if (params.bond < minimum || params.bond > MAX_BOND) revert BondOutOfRange(params.bond, minimum, MAX_BOND);
        if (params.ownerPolicy == Policy.Contribution) revert InvalidPolicy(Role.Owner, params.ownerPolicy);
        if (params.membershipRoot == 0) {
            if (params.ownerPolicy != Policy.Equal) revert MembershipRootRequired(Role.Owner, params.ownerPolicy);
            if (params.basePolicy != Policy.Equal) revert MembershipRootRequired(Role.BaseStation, params.basePolicy);
        }
        if (params.punishThresholdBps >= 10_000) revert InvalidThreshold(params.punishThresholdBps);
        if (params.maxModels == 0 || params.maxModels > 64) revert InvalidMaxModels(params.maxModels);
        Deadlines calldata d = params.deadlines;
        uint40[7] memory times = [d.join, d.commit, d.reveal, d.select, d.train, d.report, d.vote];
        uint256 before = block.timestamp;
        for (uint256 i; i < 7; ++i) {
            if (times[i] <= before) revert InvalidDeadline(i, times[i], before);
            before = times[i];
        }
        if (before > block.timestamp + 365 days) revert DeadlineTooFar(before, block.timestamp + 365 days);
    }

    function _ledgerOf(Round storage round, uint256 roundId) internal view returns (Ledger ledger) {
        ledger = round.ledger;
        if (!ledger.exists()) revert UnknownRound(roundId);
    }

    /// @dev The conduct of a round that has this status.
    function _conductOf(Round storage round, uint256 roundId, Status required) internal view returns (Conduct conduct) {
        conduct = round.conduct;
        if (!conduct.isAt(required)) {
            if (conduct.isAt(Status.None)) revert UnknownRound(roundId);
            revert WrongStatus(roundId, conduct.status(), required);
        }
    }

    function _memberOf(Round storage round, uint256 roundId, address account) internal view returns (Member member) {
        member = round.members[account];
        if (member.isAt(Stage.None)) revert NotAMember(roundId, account);
    }

    function _requireBefore(uint256 roundId, uint256 deadline) internal view {
        if (block.timestamp >= deadline) revert DeadlinePassed(roundId, deadline);
    }

    function _requireCommitPhase(uint256 roundId, Ledger ledger) internal view {
        if (block.timestamp < ledger.joinDeadline()) revert PhaseNotOpen(roundId, ledger.joinDeadline());
        _requireBefore(roundId, ledger.commitDeadline());
    }

    function _requireRole(Member member, address account, Role required) internal pure {
        if (member.side() != uint256(required)) revert WrongRole(account, member.role(), required);
    }

    function _requireWinner(Model storage model) internal view {
        if (msg.sender != model.proposer) revert NotTheWinner(msg.sender, model.proposer);
    }

    function _requireWords(uint256[] calldata bids, uint256 vectors, Terms terms) internal pure {
        if (bids.length != vectors * terms.bidWords()) revert WrongBidLength(bids.length, vectors * terms.bidWords());
    }

    /// @dev The bitmap of epochs with one more.
    function _record(uint256 epochs, uint256 epoch, Model storage model) internal view returns (uint256) {
        if (epoch >= model.trainingRounds) revert InvalidEpoch(epoch, model.trainingRounds);
        if ((epochs >> epoch) & 1 == 1) revert AlreadyRecorded(msg.sender, epoch);
        return epochs | (1 << epoch);
    }

    /// @dev The bids that a caller supplies again must be those that were revealed, zeros where none were.
    function _checkBids(Member member, address account, uint256[] calldata bids, uint256 from, uint256 words)
        internal
        pure
    {
        if (member.isAt(Stage.Committed)) {
            for (uint256 i = from; i < from + words; ++i) {
                if (bids[i] != 0) revert WrongBids(account);
            }
        } else if (!member.holds(bids.hash(from, words))) {
            revert WrongBids(account);
        }
    }

    // ──────────────────────────────────────────── the clock ────────────────────────────────────────────

    /// @dev A round that was never selected is cancelled by the select deadline, one that cannot be held by the commit deadline.
    function _statusOf(Ledger ledger, Conduct conduct) internal view returns (Status status) {
        status = conduct.status();
        if (
            status == Status.Open
                && (block.timestamp >= conduct.selectDeadline()
                    || (block.timestamp >= ledger.commitDeadline() && Settlement.cannotBeHeld(ledger, conduct)))
        ) status = Status.Cancelled;
    }

    /// @dev After a report the vote comes first, until all electors have voted or its deadline.
    function _settlementOpen(Ledger ledger, Conduct conduct, Status status) internal view returns (bool) {
        if (status == Status.Reported) {
            return conduct.votesCast() == ledger.committed(OWNERS) - 1 || block.timestamp >= conduct.voteDeadline();
        }
        return status == Status.Cancelled || status == Status.NothingTrained || status == Status.Aborted;
    }

    /// @dev The phase now, early ends included. Train lasts until its deadline, or until the report.
    function _phaseOf(Round storage round, Ledger ledger, Conduct conduct) internal view returns (Phase) {
        Status status = _statusOf(ledger, conduct);
        if (_settlementOpen(ledger, conduct, status)) return Phase.Settle;
        if (status == Status.Reported) return Phase.Vote;
        if (status == Status.Training) return block.timestamp < conduct.trainDeadline() ? Phase.Train : Phase.Report;
        if (block.timestamp < ledger.joinDeadline()) return Phase.Join;
        if (block.timestamp < ledger.commitDeadline()) return Phase.Commit;
        bool allRevealed = true;
        for (uint256 i; i < 2; ++i) {
            if (Lanes.count(round.sums[i][0]) != ledger.committed(i)) allRevealed = false;
        }
        return allRevealed || block.timestamp >= round.terms.revealDeadline() ? Phase.Select : Phase.Reveal;
    }
}
