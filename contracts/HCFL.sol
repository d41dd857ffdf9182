// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {ClarkeTax} from "./ClarkeTax.sol";
import {Escrow} from "./Escrow.sol";
import {Lanes} from "./Lanes.sol";
import {Rounds} from "./Rounds.sol";
import {Settlement} from "./Settlement.sol";
import {WeightedTerms} from "./WeightedTerms.sol";
import {Words} from "./Words.sol";
import {IHCFL, Policy, Role, Stage, Status} from "./interfaces/IHCFL.sol";
import {Conduct, ConductLibrary} from "./types/Conduct.sol";
import {DrawLibrary} from "./types/Draw.sol";
import {Ledger, LedgerLibrary, MAX_COMMITTED, MAX_ESCROW} from "./types/Ledger.sol";
import {Member, MemberLibrary} from "./types/Member.sol";
import {Round} from "./types/Round.sol";
import {OWNERS, STATIONS} from "./types/Side.sol";
import {Terms, TermsLibrary} from "./types/Terms.sol";

/// @title HCFL: truthful crowdfunding of hierarchical federated learning
/// @dev Read it top to bottom: the calls stand in the order of the protocol. Where the tax is worked out: `ClarkeTax`. What a
/// member owes: `Settlement`. Who can move ether: `Escrow`, called here by `_join`, `_settle` and `_payRebate` alone.
/// Storage: slot 0 `roundCount`, 1 the rounds (`types/Round.sol`), 2 `freeBalance`.
contract HCFL is Rounds, Escrow {
    using Words for uint256[];

    // ────────────────────────────────────────── create and join ────────────────────────────────────────

    /// @inheritdoc IHCFL
    function createRound(RoundParams calldata params) external returns (uint256 roundId) {
        _checkParams(params);
        roundId = ++roundCount;
        Round storage round = _rounds[roundId];
        Deadlines calldata deadlines = params.deadlines;
        round.ledger = LedgerLibrary.pack(
            deadlines.join,
            deadlines.commit,
            params.ownerPolicy == Policy.Capability,
            params.basePolicy == Policy.Capability
        );
        round.terms = TermsLibrary.pack(
            deadlines.commit,
            deadlines.reveal,
            params.maxOwnerBid,
            params.maxBaseBid,
            params.bond,
            params.ownerPolicy,
            params.basePolicy,
            params.membershipRoot == 0
        );
        round.conduct = ConductLibrary.pack(deadlines.select, deadlines.train, deadlines.report, deadlines.vote);
        // Public before anyone joins: truth is the best bid for every θ, so it need not be secret, only out of the bidders' hands.
        uint64 thetaNumerator = uint64(uint256(keccak256(abi.encode(block.prevrandao, roundId))));
        round.draw = DrawLibrary.pack(thetaNumerator, params.punishThresholdBps, params.maxModels);
        if (params.membershipRoot != 0) round.membershipRoot = params.membershipRoot;
        emit RoundCreated(roundId, msg.sender, thetaNumerator, params);
    }

    /// @inheritdoc IHCFL
    function join(uint256 roundId, Role role, uint32 points, bytes32[] calldata proof, uint256[] calldata rebateRounds)
        external
        payable
    {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireBefore(roundId, ledger.joinDeadline());
        (round.ledger, round.members[msg.sender]) = _join(round, roundId, ledger, role, points, proof, rebateRounds);
    }

    /// @inheritdoc IHCFL
    function propose(uint256 roundId, Proposal calldata proposal) external returns (uint256 model) {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireBefore(roundId, ledger.joinDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        _requireRole(member, msg.sender, Role.Owner);
        if (member.isProposer()) revert AlreadyProposed(msg.sender, member.model());
        if (proposal.trainingRounds == 0 || proposal.trainingRounds > 256) {
            revert InvalidTrainingRounds(proposal.trainingRounds);
        }
        Terms terms = round.terms;
        model = terms.modelCount();
        if (model == round.draw.maxModels()) revert TooManyModels(model);
        round.terms = terms.withModel();
        round.members[msg.sender] = member.withModel(model);
        round.models[model] = Model(msg.sender, proposal.trainingRounds, proposal.ownersDigest, proposal.stationsDigest);
        emit ModelProposed(roundId, msg.sender, model, proposal);
    }

    // ───────────────────────────────────────── commit and reveal ───────────────────────────────────────

    /// @inheritdoc IHCFL
    function commitBid(uint256 roundId, bytes32 commitment) external {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireCommitPhase(roundId, ledger);
        Member member = _memberOf(round, roundId, msg.sender);
        if (!member.isAt(Stage.Joined)) revert AlreadyCommitted(roundId, msg.sender);
        if (member.isProposer()) round.conduct = round.conduct.withLive(member.model());
        _commit(round, roundId, ledger, member, commitment);
    }

    /// @inheritdoc IHCFL
    function joinAndCommit(
        uint256 roundId,
        Role role,
        uint32 points,
        bytes32[] calldata proof,
        uint256[] calldata rebateRounds,
        bytes32 commitment
    ) external payable {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireCommitPhase(roundId, ledger);
        Member member;
        (ledger, member) = _join(round, roundId, ledger, role, points, proof, rebateRounds);
        _commit(round, roundId, ledger, member, commitment);
    }

    /// @inheritdoc IHCFL
    function revealBid(uint256 roundId, uint256[] calldata bids, bytes32 salt) external {
        Round storage round = _rounds[roundId];
        Terms terms = round.terms;
        if (!terms.exists()) revert UnknownRound(roundId);
        if (terms.isCancelled()) revert WrongStatus(roundId, Status.Cancelled, Status.Open);
        if (block.timestamp < terms.commitDeadline()) revert PhaseNotOpen(roundId, terms.commitDeadline());
        _requireBefore(roundId, terms.revealDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        if (!member.isAt(Stage.Committed)) {
            if (member.isAt(Stage.Joined)) revert NotCommitted(roundId, msg.sender);
            revert AlreadyRevealed(roundId, msg.sender);
        }
        if (bids.length != terms.bidWords()) revert WrongBidLength(bids.length, terms.bidWords());
        bytes32 opening = commitmentOf(roundId, msg.sender, bids, salt);
        if (!member.holds(opening)) revert WrongOpening(msg.sender, opening);

        uint256 side = member.side();
        Lanes.add(round.sums[side], bids, terms.modelCount(), terms.cap(side));
        if (terms.weighted(side)) {
            uint256 total = round.draw.points(side);
            // A lone member's round cannot be held, and its terms have no meaning. Every other member has a point or more.
            if (total == member.points()) revert WrongStatus(roundId, Status.Cancelled, Status.Open);
            WeightedTerms.add(round.terms128[side], bids, terms.modelCount(), member.points(), total, side == OWNERS);
        }
        round.members[msg.sender] = member.withStage(Stage.Revealed).withHash(bids.hash(0, bids.length));
        emit BidRevealed(roundId, msg.sender, bids);
    }

    // ────────────────────────────────────────────── select ─────────────────────────────────────────────

    /// @inheritdoc IHCFL
    function selectModel(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Open);
        Ledger ledger = round.ledger;
        if (block.timestamp < ledger.commitDeadline()) revert PhaseNotOpen(roundId, ledger.commitDeadline());
        _requireBefore(roundId, conduct.selectDeadline());
        Terms terms = round.terms;
        if (Settlement.cannotBeHeld(ledger, conduct)) return _cancel(round, roundId, terms, conduct);

        uint256 valueWord = round.sums[OWNERS][0];
        uint256 costWord = round.sums[STATIONS][0];
        uint256 stationsRevealed = Lanes.count(costWord);
        bool allRevealed =
            Lanes.count(valueWord) == ledger.committed(OWNERS) && stationsRevealed == ledger.committed(STATIONS);
        if (!allRevealed && block.timestamp < terms.revealDeadline()) {
            revert PhaseNotOpen(roundId, terms.revealDeadline());
        }
        if (stationsRevealed == 0) return _cancel(round, roundId, terms, conduct);

        // The largest V − K of a live model, the lowest index on a tie; it must be positive.
        uint256 live = conduct.live();
        uint256 models = terms.modelCount();
        uint256 selected;
        uint256 margin;
        for (uint256 m; m < models; ++m) {
            if ((m + 1) & 3 == 0) {
                valueWord = round.sums[OWNERS][Lanes.wordOf(m)];
                costWord = round.sums[STATIONS][Lanes.wordOf(m)];
            }
            uint256 value = Lanes.lane(valueWord, m);
            uint256 cost = Lanes.lane(costWord, m);
            if ((live >> m) & 1 == 1 && value > cost && value - cost > margin) {
                selected = m;
                margin = value - cost;
            }
        }
        if (margin == 0) {
            round.conduct = conduct.withStatus(Status.NothingTrained);
            emit NothingSelected(roundId);
        } else {
            round.conduct = conduct.withStatus(Status.Training).withSelected(selected);
            emit ModelSelected(roundId, round.models[selected].proposer, selected, margin * 1 gwei);
        }
    }

    // ─────────────────────────────────────────── train and report ──────────────────────────────────────

    /// @inheritdoc IHCFL
    function recordGlobalRound(uint256 roundId, uint256 epoch, bytes32 modelDigest, bytes32 updatesRoot) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.trainDeadline());
        Model storage model = round.models[conduct.selected()];
        _requireWinner(model);
        round.globalRounds = _record(round.globalRounds, epoch, model);
        if (!conduct.guided()) round.conduct = conduct.withGuided();
        emit GlobalRoundRecorded(roundId, msg.sender, epoch, modelDigest, updatesRoot);
    }

    /// @inheritdoc IHCFL
    function recordUpdate(uint256 roundId, uint256 epoch, bytes32 updateDigest) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.trainDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        _requireRole(member, msg.sender, Role.BaseStation);
        if (!member.isAt(Stage.Revealed)) revert NotRevealed(roundId, msg.sender);
        round.updates[msg.sender] = _record(round.updates[msg.sender], epoch, round.models[conduct.selected()]);
        if (!member.recorded()) {
            round.members[msg.sender] = member.withRecorded();
            round.conduct = conduct.withRecorder();
        }
        emit UpdateRecorded(roundId, msg.sender, epoch, updateDigest);
    }

    /// @inheritdoc IHCFL
    function reportContributions(
        uint256 roundId,
        address[] calldata stations,
        uint32[] calldata points,
        uint256[] calldata bids
    ) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.reportDeadline());
        _requireWinner(round.models[conduct.selected()]);
        if (stations.length != points.length) revert LengthMismatch(stations.length, points.length);
        Terms terms = round.terms;
        bool byContribution = terms.byContribution();
        if (byContribution) _requireWords(bids, stations.length, terms);
        for (uint256 i; i < stations.length; ++i) {
            Member member = _memberOf(round, roundId, stations[i]);
            _requireRole(member, stations[i], Role.BaseStation);
            if (member.isAt(Stage.Joined)) revert NotCommitted(roundId, stations[i]);
            if (points[i] >= ClarkeTax.CONTRIBUTION_POINTS) revert InvalidContribution(stations[i], points[i]);
            if (byContribution) {
                uint256 from = i * terms.bidWords();
                _checkBids(member, stations[i], bids, from, terms.bidWords());
                uint256 claim = Lanes.bidAt(bids, from, conduct.selected()) * 1 gwei;
                round.contributions.list(claim, member.points(), points[i]);
                member = member.withPoints(points[i]);
            }
            round.members[stations[i]] = member.withListedZero(points[i] == 0);
            emit ContributionReported(roundId, stations[i], points[i]);
        }
    }

    /// @inheritdoc IHCFL
    function reportResult(uint256 roundId, bytes32 modelDigest, Opening calldata opening) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.reportDeadline());
        Model storage model = round.models[conduct.selected()];
        _requireWinner(model);
        if (block.timestamp < conduct.trainDeadline()) {
            uint256 revealed = Lanes.count(round.sums[STATIONS][0]);
            if (conduct.recorders() != revealed) revert UpdatesMissing(conduct.recorders(), revealed);
        }
        if (round.terms.byContribution() && conduct.recorders() != 0) {
            uint256 sum = round.contributions.points;
            if (sum != ClarkeTax.CONTRIBUTION_POINTS) {
                revert ContributionsDoNotAddUp(sum, ClarkeTax.CONTRIBUTION_POINTS);
            }
        }
        bytes32 digest = ownersDigestOf(roundId, msg.sender, opening);
        if (digest != model.ownersDigest) revert WrongProposalOpening(digest, model.ownersDigest);
        round.conduct = conduct.withStatus(Status.Reported);
        emit ResultReported(roundId, msg.sender, modelDigest, opening);
    }

    /// @inheritdoc IHCFL
    function abortTraining(uint256 roundId, uint256[] calldata winnerBids) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        if (block.timestamp < conduct.reportDeadline()) revert PhaseNotOpen(roundId, conduct.reportDeadline());
        address winner = round.models[conduct.selected()].proposer;
        Member member = round.members[winner];
        Terms terms = round.terms;
        _requireWords(winnerBids, 1, terms);
        _checkBids(member, winner, winnerBids, 0, winnerBids.length);

        conduct = conduct.withStatus(Status.Aborted);
        round.conduct = conduct;
        uint256 part;
        if (conduct.recorders() != 0) {
            Settlement.Statement memory s;
            ClarkeTax.Book memory book;
            Settlement.Dues memory dues;
            Settlement.read(s, round, roundId, Status.Aborted, round.ledger, terms, conduct);
            // Only what the winner owes is asked for. What its lock releases is credited when it is settled, like everybody's.
            // slither-disable-next-line unused-return
            Settlement.duesOf(dues, s, book, round, member, winnerBids, 0);
            part = (dues.share + (dues.slashedToRecorders ? dues.slashed : 0)) / conduct.recorders();
            round.partPerRecorder = part;
        }
        emit TrainingAborted(roundId, winner, part);
    }

    // ─────────────────────────────────────────────── vote ──────────────────────────────────────────────

    /// @inheritdoc IHCFL
    function vote(uint256 roundId, bool punish, uint16 measuredAccuracyBps) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Reported);
        _requireBefore(roundId, conduct.voteDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        _requireRole(member, msg.sender, Role.Owner);
        if (member.voted()) revert AlreadyVoted(msg.sender);
        // Who never committed is no elector, nor once it is settled: its vote would close a settlement that has begun.
        if (!member.isBidder() || member.proposed(conduct.selected())) revert NotAnElector(msg.sender);
        if (measuredAccuracyBps > 10_000) revert InvalidAccuracy(measuredAccuracyBps);
        round.members[msg.sender] = member.withVoted();
        round.conduct = conduct.withVote(punish);
        emit Voted(roundId, msg.sender, punish, measuredAccuracyBps);
    }

    // ────────────────────────────────────────────── settle ─────────────────────────────────────────────

    /// @inheritdoc IHCFL
    function settle(uint256 roundId, address member, uint256[] calldata bids) external {
        Round storage round = _rounds[roundId];
        Settlement.Statement memory s;
        _openSettlement(s, round, roundId);
        _requireWords(bids, 1, s.terms);
        ClarkeTax.Book memory book;
        if (!_settle(round, s, book, round.members[member], member, bids, 0)) revert AlreadySettled(roundId, member);
        round.ledger = s.ledger;
    }

    /// @inheritdoc IHCFL
    function settleMany(uint256 roundId, address[] calldata members, uint256[] calldata bids) external {
        Round storage round = _rounds[roundId];
        Settlement.Statement memory s;
        _openSettlement(s, round, roundId);
        _requireWords(bids, members.length, s.terms);
        uint256 words = s.terms.bidWords();
        ClarkeTax.Book[2] memory books;
        for (uint256 i; i < members.length; ++i) {
            Member member = round.members[members[i]];
            _settle(round, s, books[member.side()], member, members[i], bids, i * words);
        }
        round.ledger = s.ledger;
    }

    /// @inheritdoc IHCFL
    function claimRebate(uint256 roundId) external {
        _payRebate(roundId);
    }

    // ────────────────────────────────── what the calls above are made of ───────────────────────────────

    /// @dev Checks the caller's claim to membership, credits its rebates and takes its lock. The caller stores what it returns.
    function _join(
        Round storage round,
        uint256 roundId,
        Ledger ledger,
        Role role,
        uint32 points,
        bytes32[] calldata proof,
        uint256[] calldata rebateRounds
    ) private returns (Ledger, Member) {
        if (!round.members[msg.sender].isAt(Stage.None)) revert AlreadyJoined(roundId, msg.sender);
        Terms terms = round.terms;
        if (points == 0 || (points != 1 && !terms.weighted(uint256(role)))) revert InvalidPoints(points);
        if (!terms.isOpen()) {
            bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(msg.sender, role, points))));
            if (!MerkleProof.verifyCalldata(proof, round.membershipRoot, leaf)) {
                revert InvalidProof(msg.sender, role, points);
            }
        }
        for (uint256 i; i < rebateRounds.length; ++i) {
            _payRebate(rebateRounds[i]);
        }
        uint256 lock = terms.lockOf(uint256(role), points);
        if (ledger.escrow() + lock > MAX_ESCROW) revert RoundFull(roundId);
        _collectLock(lock);
        emit Joined(roundId, msg.sender, role, points, msg.value);
        // Under Contribution a base station's points are those that the winner will report.
        bool unlisted = role == Role.BaseStation && terms.byContribution();
        return (ledger.plusEscrow(lock), MemberLibrary.pack(uint256(role), unlisted ? 0 : points));
    }

    /// @dev Stores the caller's commitment, counts it, and under Capability sums its points.
    function _commit(Round storage round, uint256 roundId, Ledger ledger, Member member, bytes32 commitment) private {
        uint256 side = member.side();
        if (ledger.committed(side) == MAX_COMMITTED) revert RoundFull(roundId);
        if (ledger.weighted(side)) round.draw = round.draw.withPoints(side, member.points());
        round.ledger = ledger.withCommitted(side);
        round.members[msg.sender] = member.withStage(Stage.Committed).withHash(commitment);
        emit BidCommitted(roundId, msg.sender, commitment);
    }

    /// @dev Cancels a round for good; its funds can be settled at once.
    function _cancel(Round storage round, uint256 roundId, Terms terms, Conduct conduct) private {
        round.conduct = conduct.withStatus(Status.Cancelled);
        round.terms = terms.withCancelled();
        emit RoundCancelled(roundId);
    }

    /// @dev Reads a round for settlement, or says why it is not open. Stores a cancellation that a deadline has brought.
    function _openSettlement(Settlement.Statement memory s, Round storage round, uint256 roundId) private {
        Ledger ledger = _ledgerOf(round, roundId);
        Conduct conduct = round.conduct;
        Terms terms = round.terms;
        Status status = _statusOf(ledger, conduct);
        if (!_settlementOpen(ledger, conduct, status)) revert SettlementNotOpen(roundId, status);
        if (status == Status.Cancelled && conduct.status() == Status.Open) _cancel(round, roundId, terms, conduct);
        Settlement.read(s, round, roundId, status, ledger, terms, conduct);
    }

    /// @dev Settles one member: counts it in the statement's ledger, which the caller stores. False if it was settled before.
    /// @param book of its side
    function _settle(
        Round storage round,
        Settlement.Statement memory s,
        ClarkeTax.Book memory book,
        Member member,
        address account,
        uint256[] calldata bids,
        uint256 from
    ) private returns (bool) {
        if (member.isAt(Stage.None)) revert NotAMember(s.roundId, account);
        if (member.isAt(Stage.Settled) || member.isAt(Stage.Closed)) return false;
        Settlement.Dues memory dues;
        uint256 released;
        if (member.isAt(Stage.Joined)) {
            released = Settlement.duesOfAbsentee(dues, s, member);
            round.members[account] = member.withStage(Stage.Closed);
        } else {
            _checkBids(member, account, bids, from, s.terms.bidWords());
            released = Settlement.duesOf(dues, s, book, round, member, bids, from);
            // What is collected is below 2^109 wei. A pot is part of what the round took in, at most MAX_ESCROW: these sums
            // cannot revert and so hold up the others' rebates.
            uint256 putIn = dues.tax + dues.forfeited;
            if (dues.slashed != 0) {
                if (dues.slashedOutside) round.pots[STATIONS].outside += uint128(dues.slashed);
                else if (!dues.slashedToRecorders) putIn += dues.slashed;
            }
            if (putIn != 0) round.pots[member.side()].inside += uint128(putIn);
            round.members[account] = member.withStage(Stage.Settled).withPutIn(putIn);
            s.ledger = s.ledger.withSettled();
        }
        s.ledger = s.ledger.minusEscrow(released);
        _credit(account, released);
        emit MemberSettled(s.roundId, account, dues.share, dues.tax, dues.slashed, dues.reward, dues.forfeited);
        return true;
    }

    /// @dev Credits what a round recycles to the caller.
    function _payRebate(uint256 roundId) private {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        Member member = round.members[msg.sender];
        if (!member.isAt(Stage.Settled) || !ledger.allSettled()) revert RebateNotDue(roundId, msg.sender);
        uint256 amount = Settlement.rebateOf(round, member);
        round.members[msg.sender] = member.withStage(Stage.Closed);
        round.ledger = ledger.minusEscrow(amount);
        _credit(msg.sender, amount);
        emit RebatePaid(roundId, msg.sender, amount);
    }
}
