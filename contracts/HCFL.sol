// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {ClarkeTax} from "./ClarkeTax.sol";
import {Escrow} from "./Escrow.sol";
import {Lanes} from "./Lanes.sol";
import {Rounds} from "./Rounds.sol";
import {Settlement} from "./Settlement.sol";
import {Words} from "./Words.sol";
import {IHCFL, Role, Stage, Status} from "./interfaces/IHCFL.sol";
import {Conduct, ConductLibrary} from "./types/Conduct.sol";
import {Draw, DrawLibrary} from "./types/Draw.sol";
import {Ledger, LedgerLibrary, MAX_COMMITTED, MAX_ESCROW} from "./types/Ledger.sol";
import {Member, MemberLibrary} from "./types/Member.sol";
import {Round} from "./types/Round.sol";
import {OWNERS, STATIONS} from "./types/Side.sol";
import {Terms, TermsLibrary} from "./types/Terms.sol";

/// @title HCFL: truthful crowdfunding of hierarchical federated learning
/// @dev Read it top to bottom: the calls stand in the order of the protocol, each documented in `IHCFL`. Where the tax is worked out:
/// `ClarkeTax`. What a member owes: `Settlement`. Who can move ether: `Escrow`, called here by `_join`, `_settle` and `claimLot` alone.
/// Storage: slot 0 `roundCount`, 1 the rounds (`types/Round.sol`), 2 `freeBalance`.
contract HCFL is Rounds, Escrow {
    using Words for uint256[];

    // ────────────────────────────────────────── create and join ────────────────────────────────────────

    function createRound(RoundTerms calldata terms, bytes32 membershipRoot) external returns (uint256 roundId) {
        _checkTerms(terms);
        if (membershipRoot == 0) revert MembershipRootRequired();
        roundId = ++roundCount;
        Round storage round = _rounds[roundId];
        round.ledger = LedgerLibrary.pack(terms.deadlines);
        round.terms = TermsLibrary.pack(terms);
        round.conduct = ConductLibrary.pack(terms);
        round.draw = DrawLibrary.pack(terms);
        round.door = doorOf(membershipRoot, termsHashOf(terms));
        emit RoundCreated(roundId, msg.sender, terms, membershipRoot);
    }

    function join(uint256 roundId, bytes32 termsHash, Role role, uint32 points, bytes32[] calldata proof)
        external
        payable
    {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireBefore(roundId, ledger.joinDeadline());
        (round.ledger, round.members[msg.sender]) = _join(round, roundId, ledger, termsHash, role, points, proof);
    }

    function propose(uint256 roundId, Proposal calldata proposal) external returns (uint256 model) {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireBefore(roundId, ledger.joinDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        _requireRole(member, msg.sender, Role.Owner);
        if (member.isProposer()) revert AlreadyProposed(msg.sender, member.model());
        if (proposal.globalRounds == 0 || proposal.globalRounds > 256) {
            revert InvalidGlobalRounds(proposal.globalRounds);
        }
        Terms terms = round.terms;
        model = terms.modelCount();
        if (model == terms.maxModels()) revert TooManyModels(model);
        round.terms = terms.withModel();
        round.members[msg.sender] = member.withModel(model);
        round.models[model] = Model(msg.sender, proposal.globalRounds, proposal.ownersDigest, proposal.stationsDigest);
        emit ModelProposed(roundId, msg.sender, model, proposal);
    }

    // ────────────────────────────────────── commit, draw and reveal ────────────────────────────────────

    function commitBid(uint256 roundId, bytes32 commitment) external {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireCommitPhase(roundId, ledger);
        Member member = _memberOf(round, roundId, msg.sender);
        if (!member.isAt(Stage.Joined)) revert AlreadyCommitted(roundId, msg.sender);
        if (member.isProposer()) round.draw = round.draw.withLive(member.model());
        _commit(round, roundId, ledger, member, commitment);
    }

    function joinAndCommit(
        uint256 roundId,
        bytes32 termsHash,
        Role role,
        uint32 points,
        bytes32[] calldata proof,
        bytes32 commitment
    ) external payable {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        _requireCommitPhase(roundId, ledger);
        Member member;
        (ledger, member) = _join(round, roundId, ledger, termsHash, role, points, proof);
        _commit(round, roundId, ledger, member, commitment);
    }

    function drawClaimant(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        Ledger ledger = _ledgerOf(round, roundId);
        Terms terms = round.terms;
        _requireFrom(roundId, ledger.commitDeadline() + DRAW_DELAY);
        if (terms.isDrawn()) revert AlreadyDrawn(roundId);
        _requireBefore(roundId, terms.drawDeadline());
        Draw draw = round.draw;
        if (Settlement.cannotBeHeld(ledger, draw)) {
            return _cancel(round, roundId, _conductOf(round, roundId, Status.Open));
        }
        // At most 2^64 there is no randomness but a difficulty (EIP-4399), which the next best thing replaces.
        uint256 source = block.prevrandao;
        if (source <= 2 ** 64) source = uint256(blockhash(block.number - 1));
        uint256 drawn = uint256(keccak256(abi.encode(source, roundId)));
        draw = draw.withTheta(uint64(drawn));
        // Of 96 random bits a remainder prefers nobody by more than 1 in 2^76; who can choose among draws: attacks.md, "Not stopped".
        // slither-disable-next-line weak-prng
        uint256 ordinal = uint96(drawn >> 64) % ledger.committed(STATIONS) + 1;
        round.terms = terms.withClaimant(ordinal);
        round.draw = draw;
        emit ClaimantDrawn(roundId, uint64(draw.theta()), ordinal);
    }

    function revealBid(uint256 roundId, uint256[] calldata bids, bytes32 salt) external {
        Round storage round = _rounds[roundId];
        Terms terms = round.terms;
        _requireDrawn(round, roundId, terms);
        _requireBefore(roundId, terms.revealDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        if (!member.isAt(Stage.Committed)) {
            if (member.isAt(Stage.Joined)) revert NotCommitted(roundId, msg.sender);
            revert AlreadyRevealed(roundId, msg.sender);
        }
        if (terms.isClaimant(member)) revert ClaimantStandsAside(roundId, msg.sender);
        if (bids.length != terms.bidWords()) revert WrongBidLength(bids.length, terms.bidWords());
        bytes32 opening = commitmentOf(roundId, msg.sender, bids, salt);
        if (!member.holds(opening)) revert WrongOpening(msg.sender, opening);
        uint256 side = member.side();
        Lanes.add(round.sums[side], bids, terms.modelCount(), terms.cap(side));
        round.members[msg.sender] = member.withSealed(Stage.Revealed, bids.hash(0, bids.length));
        emit BidRevealed(roundId, msg.sender, bids);
    }

    // ────────────────────────────────────────────── select ─────────────────────────────────────────────

    function selectModel(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Open);
        Ledger ledger = round.ledger;
        Terms terms = round.terms;
        _requireDrawn(round, roundId, terms);
        _requireBefore(roundId, conduct.selectDeadline());
        if (!_allRevealed(round, ledger)) _requireFrom(roundId, terms.revealDeadline());
        if (Lanes.count(round.sums[STATIONS][0]) == 0) return _cancel(round, roundId, conduct);
        (uint256 selected, uint256 score) = Lanes.best(
            round.sums[OWNERS], round.sums[STATIONS], terms.modelCount(), round.draw.live(), ledger.committed(STATIONS)
        );
        if (score == 0) {
            round.conduct = conduct.withStatus(Status.NothingTrained);
            emit NothingSelected(roundId);
        } else {
            Model storage model = round.models[selected];
            round.conduct = conduct.withSelected(selected, model.globalRounds);
            emit ModelSelected(roundId, model.proposer, selected, score * 1 gwei);
        }
    }

    // ─────────────────────────────────────────── train and report ──────────────────────────────────────

    function recordGlobalRound(uint256 roundId, uint256 globalRound, bytes32 modelDigest, bytes32 updatesRoot)
        external
    {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.trainDeadline());
        round.members[msg.sender] = _record(_winnerOf(round, conduct), conduct, globalRound);
        emit GlobalRoundRecorded(roundId, msg.sender, globalRound, modelDigest, updatesRoot);
    }

    function recordUpdate(uint256 roundId, uint256 globalRound, bytes32 updateDigest) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.trainDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        _requireRole(member, msg.sender, Role.BaseStation);
        if (!member.isAt(Stage.Revealed) && !round.terms.isClaimant(member)) revert NotRevealed(roundId, msg.sender);
        round.members[msg.sender] = _record(member, conduct, globalRound);
        (bool first, bool last) = (globalRound == 0, globalRound + 1 == conduct.globalRounds());
        if (first || last) round.conduct = conduct.withRecord(first, last);
        emit UpdateRecorded(roundId, msg.sender, globalRound, updateDigest);
    }

    function reportContributions(uint256 roundId, address[] calldata stations, uint32[] calldata points) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.reportDeadline());
        _winnerOf(round, conduct);
        if (stations.length != points.length) revert LengthMismatch(stations.length, points.length);
        uint256 maximum = 2 * ClarkeTax.CONTRIBUTION_POINTS / round.ledger.committed(STATIONS);
        Draw draw = round.draw;
        uint256 sum = draw.listed();
        for (uint256 i; i < stations.length; ++i) {
            Member member = _memberOf(round, roundId, stations[i]);
            _requireRole(member, stations[i], Role.BaseStation);
            if (member.isAt(Stage.Joined)) revert NotCommitted(roundId, stations[i]);
            if (points[i] > maximum) revert ContributionTooLarge(stations[i], points[i], maximum);
            sum = sum + points[i] - member.points();
            round.members[stations[i]] = member.withListed(points[i]);
            emit ContributionReported(roundId, stations[i], points[i]);
        }
        round.draw = draw.withListed(sum);
    }

    function reportResult(uint256 roundId, bytes32 modelDigest, Opening calldata opening) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireBefore(roundId, conduct.reportDeadline());
        _winnerOf(round, conduct);
        if (block.timestamp < conduct.trainDeadline()) {
            // Who revealed, and the claimant.
            uint256 required = Lanes.count(round.sums[STATIONS][0]) + 1;
            if (conduct.finished() != required) revert UpdatesMissing(conduct.finished(), required);
        }
        bytes32 proposed = round.models[conduct.selected()].ownersDigest;
        bytes32 digest = ownersDigestOf(roundId, msg.sender, opening);
        if (digest != proposed) revert WrongProposalOpening(digest, proposed);
        round.conduct = conduct.withClaim(opening.claimedAccuracyBps);
        emit ResultReported(roundId, msg.sender, modelDigest, opening);
    }

    function abortTraining(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Training);
        _requireFrom(roundId, conduct.reportDeadline());
        round.conduct = conduct.withStatus(Status.Aborted);
        emit TrainingAborted(roundId, round.models[conduct.selected()].proposer);
    }

    // ─────────────────────────────────────────────── vote ──────────────────────────────────────────────

    function vote(uint256 roundId, uint16 measuredAccuracyBps, bool upholdContributions) external {
        Round storage round = _rounds[roundId];
        Conduct conduct = _conductOf(round, roundId, Status.Reported);
        _requireBefore(roundId, conduct.voteDeadline());
        Member member = _memberOf(round, roundId, msg.sender);
        _requireRole(member, msg.sender, Role.Owner);
        if (member.voted()) revert AlreadyVoted(msg.sender);
        if (member.isAt(Stage.Joined) || member.proposed(conduct.selected())) revert NotAnElector(msg.sender);
        if (measuredAccuracyBps > 10_000) revert InvalidAccuracy(measuredAccuracyBps);
        round.members[msg.sender] = member.withVoted();
        round.conduct = conduct.withVote(measuredAccuracyBps < conduct.accuracy(), upholdContributions);
        emit Voted(roundId, msg.sender, measuredAccuracyBps, upholdContributions);
    }

    // ────────────────────────────────────────────── settle ─────────────────────────────────────────────

    function settle(uint256 roundId, address member, uint256[] calldata bids) external {
        Round storage round = _rounds[roundId];
        Settlement.Statement memory s = _openSettlement(round, roundId, 1, bids);
        ClarkeTax.Book memory book;
        if (!_settle(round, s, book, round.members[member], member, bids)) revert NotAMember(roundId, member);
        _closeSettlement(s, round);
    }

    function settleMany(uint256 roundId, address[] calldata members, uint256[] calldata bids) external {
        Round storage round = _rounds[roundId];
        Settlement.Statement memory s = _openSettlement(round, roundId, members.length, bids);
        uint256 words = s.terms.bidWords();
        ClarkeTax.Book[2] memory books;
        for (uint256 i; i < members.length; ++i) {
            Member member = round.members[members[i]];
            _settle(round, s, books[member.side()], member, members[i], bids);
            s.from += words;
        }
        _closeSettlement(s, round);
    }

    function claimLot(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        if (!round.terms.isClaimant(round.members[msg.sender])) revert NotTheClaimant(roundId, msg.sender);
        uint256 amount = round.lot;
        round.lot = 0;
        round.ledger = round.ledger.minusEscrow(amount);
        _credit(msg.sender, amount);
        emit LotClaimed(roundId, msg.sender, amount);
    }

    // ────────────────────────────────── what the calls above are made of ───────────────────────────────

    /// @dev Checks the caller's claim to membership and takes its lock. The caller stores what it returns.
    function _join(
        Round storage round,
        uint256 roundId,
        Ledger ledger,
        bytes32 termsHash,
        Role role,
        uint32 points,
        bytes32[] calldata proof
    ) private returns (Ledger, Member) {
        if (!round.members[msg.sender].isAt(Stage.None)) revert AlreadyJoined(roundId, msg.sender);
        Terms terms = round.terms;
        bool owner = role == Role.Owner;
        if (points == 0 || (points != 1 && !(owner && terms.isWeighted()))) revert InvalidPoints(points);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(msg.sender, role, points))));
        if (doorOf(MerkleProof.processProofCalldata(proof, leaf), termsHash) != round.door) {
            revert NotAdmitted(msg.sender, role, points, termsHash);
        }
        uint256 lock = _lockOf(round, terms, uint256(role), points);
        if (lock > MAX_ESCROW - ledger.escrow()) revert RoundFull(roundId);
        _collectLock(lock);
        emit Joined(roundId, msg.sender, role, points, msg.value);
        return (ledger.plusEscrow(lock), MemberLibrary.pack(uint256(role), owner ? points : 0));
    }

    /// @dev Stores the caller's commitment and counts it; a base station gets its ordinal.
    function _commit(Round storage round, uint256 roundId, Ledger ledger, Member member, bytes32 commitment) private {
        uint256 side = member.side();
        uint256 committed = ledger.committed(side);
        if (committed == MAX_COMMITTED) revert RoundFull(roundId);
        round.ledger = ledger.withCommitted(side, member.points());
        if (side == STATIONS) member = member.withOrdinal(committed + 1);
        round.members[msg.sender] = member.withSealed(Stage.Committed, commitment);
        emit BidCommitted(roundId, msg.sender, commitment);
    }

    /// @dev Cancels a round for good; its funds can be settled at once.
    function _cancel(Round storage round, uint256 roundId, Conduct conduct) private {
        round.conduct = conduct.withStatus(Status.Cancelled);
        emit RoundCancelled(roundId);
    }

    /// @dev Reads a round for settlement. Stores a cancellation that a deadline has brought.
    function _openSettlement(Round storage round, uint256 roundId, uint256 vectors, uint256[] calldata bids)
        private
        returns (Settlement.Statement memory s)
    {
        s.roundId = roundId;
        s.ledger = _ledgerOf(round, roundId);
        s.terms = round.terms;
        s.conduct = round.conduct;
        s.draw = round.draw;
        Status status = _statusOf(s.ledger, s.terms, s.conduct, s.draw);
        s.open = _settlementOpen(s.ledger, s.conduct, status);
        if (status != s.conduct.status()) _cancel(round, roundId, s.conduct);
        Settlement.judge(s, status);
        uint256 words = vectors * s.terms.bidWords();
        if (bids.length != words) revert WrongBidLength(bids.length, words);
    }

    /// @dev Settles one member: its slot is cleared, all else is left to `_closeSettlement`. False if there is none, or none any more.
    /// @param book of its side
    function _settle(
        Round storage round,
        Settlement.Statement memory s,
        ClarkeTax.Book memory book,
        Member member,
        address account,
        uint256[] calldata bids
    ) private returns (bool) {
        if (member.isAt(Stage.None) || member.isAt(Stage.Settled)) return false;
        (Settlement.Dues memory dues, uint256 released) = Settlement.duesOf(s, book, round, member, account, bids);
        round.members[account] = dues.claimant ? member.withStage(Stage.Settled) : Member.wrap(0);
        unchecked {
            s.lot += dues.tax; // each below 2^109
        }
        s.ledger = s.ledger.minusEscrow(released);
        _credit(account, released);
        emit MemberSettled(
            s.roundId, account, dues.share, dues.tax, dues.slashed, dues.reward, dues.forfeited, dues.bonus
        );
        return true;
    }

    /// @dev Enters what a settlement has taken out of the round, and into its lot.
    function _closeSettlement(Settlement.Statement memory s, Round storage round) private {
        round.ledger = s.ledger;
        unchecked {
            if (s.lot != 0) round.lot += s.lot; // together no more than the round took in
        }
    }
}
