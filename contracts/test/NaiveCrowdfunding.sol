// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {NaiveSettlement} from "./NaiveSettlement.sol";

/// @title What HCFL is measured against
/// @notice The same round and the same money, to the wei, written as one would write it first: a reveal stores the bids, the
/// selection adds them all up, and one call settles everybody. Equal policies; no abort, no lists of contributions.
/// @dev Written with care, so that the comparison is fair: bids are `uint64[]`, which Solidity packs four to a slot, structs pack,
/// sums are worked out once a call and not once a member, rebates are credited within the settlement. Not for use: beyond some
/// hundred members a round can no longer be settled (`analysis/benchmarks/contract` measures where).
contract NaiveCrowdfunding is NaiveSettlement {
    // ────────────────────────────────────────── create and join ────────────────────────────────────────

    function createRound(Terms calldata terms) external returns (uint256 roundId) {
        if (
            block.timestamp >= terms.joinDeadline || terms.joinDeadline >= terms.commitDeadline
                || terms.commitDeadline >= terms.revealDeadline || terms.revealDeadline >= terms.selectDeadline
                || terms.selectDeadline >= terms.trainDeadline || terms.trainDeadline >= terms.voteDeadline
                || terms.maxOwnerBid == 0 || terms.maxBaseBid == 0 || terms.bond < uint256(terms.maxBaseBid) * 1 gwei
        ) revert InvalidTerms();
        roundId = ++roundCount;
        Round storage round = _rounds[roundId];
        round.terms = terms;
        round.status = Status.Open;
        round.theta = uint64(uint256(keccak256(abi.encode(block.prevrandao, roundId))));
        emit RoundCreated(roundId, msg.sender, round.theta, terms);
    }

    function join(uint256 roundId, Role role, bytes32[] calldata proof) external payable {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        if (round.status != Status.Open || block.timestamp >= round.terms.joinDeadline) revert WrongPhase();
        if (member.joined) revert NotAllowed(msg.sender);
        bytes32 root = round.terms.membershipRoot;
        if (root != 0) {
            bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(msg.sender, role, uint32(1)))));
            if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert InvalidProof(msg.sender);
        }
        if (msg.value != _lockOf(round, role)) revert WrongLock(msg.value, _lockOf(round, role));
        member.joined = true;
        member.role = role;
        (role == Role.Owner ? round.owners : round.stations).push(msg.sender);
        emit Joined(roundId, msg.sender, role, msg.value);
    }

    function propose(uint256 roundId, bytes32 ownersDigest, bytes32 stationsDigest, uint16 trainingRounds) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        if (round.status != Status.Open || block.timestamp >= round.terms.joinDeadline) revert WrongPhase();
        if (!member.joined || member.role != Role.Owner || member.proposed) revert NotAllowed(msg.sender);
        uint256 model = round.models.length;
        if (model == round.terms.maxModels || trainingRounds == 0 || trainingRounds > 256) revert InvalidTerms();
        member.proposed = true;
        member.model = uint8(model);
        round.models.push(Model(msg.sender, trainingRounds, ownersDigest, stationsDigest));
        emit ModelProposed(roundId, msg.sender, model);
    }

    // ───────────────────────────────────────── commit and reveal ───────────────────────────────────────

    function commitBid(uint256 roundId, bytes32 commitment) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        if (block.timestamp < round.terms.joinDeadline || block.timestamp >= round.terms.commitDeadline) {
            revert WrongPhase();
        }
        if (!member.joined || member.committed) revert NotAllowed(msg.sender);
        member.committed = true;
        member.commitment = commitment;
        if (member.role == Role.Owner) ++round.committedOwners;
        else ++round.committedStations;
        emit BidCommitted(roundId, msg.sender, commitment);
    }

    function revealBid(uint256 roundId, uint64[] calldata bids, bytes32 salt) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        if (block.timestamp < round.terms.commitDeadline || block.timestamp >= round.terms.revealDeadline) {
            revert WrongPhase();
        }
        if (!member.committed || member.revealed) revert NotAllowed(msg.sender);
        if (bids.length != round.models.length) revert WrongBids(msg.sender);
        uint256 cap = member.role == Role.Owner ? round.terms.maxOwnerBid : round.terms.maxBaseBid;
        for (uint256 m; m < bids.length; ++m) {
            if (bids[m] > cap) revert WrongBids(msg.sender);
        }
        bytes32 digest = keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, bids, salt));
        if (digest != member.commitment) revert WrongOpening(digest);
        member.revealed = true;
        member.bids = bids;
        emit BidRevealed(roundId, msg.sender, bids);
    }

    // ────────────────────────────────────────────── select ─────────────────────────────────────────────

    function selectModel(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        if (round.status != Status.Open || block.timestamp < round.terms.commitDeadline) revert WrongPhase();
        if (block.timestamp >= round.terms.selectDeadline) revert WrongPhase();
        bool[] memory live = _live(round);
        if (_cannotBeHeld(round, live)) return _cancel(round, roundId);
        Side memory owners = _read(round, round.owners);
        Side memory stations = _read(round, round.stations);
        bool allRevealed = owners.revealed == owners.committed && stations.revealed == stations.committed;
        if (!allRevealed && block.timestamp < round.terms.revealDeadline) revert WrongPhase();
        if (stations.revealed == 0) return _cancel(round, roundId);
        uint256 selected;
        uint256 margin;
        for (uint256 m; m < live.length; ++m) {
            if (live[m] && owners.sums[m] > stations.sums[m] && owners.sums[m] - stations.sums[m] > margin) {
                selected = m;
                margin = owners.sums[m] - stations.sums[m];
            }
        }
        if (margin == 0) {
            round.status = Status.NothingTrained;
            emit NothingSelected(roundId);
        } else {
            round.status = Status.Training;
            round.selected = uint8(selected);
            emit ModelSelected(roundId, selected, margin * 1 gwei);
        }
    }

    // ─────────────────────────────────────── train, report and vote ────────────────────────────────────

    function recordGlobalRound(uint256 roundId, uint256 epoch, bytes32 modelDigest, bytes32 updatesRoot) external {
        Round storage round = _rounds[roundId];
        if (round.status != Status.Training || block.timestamp >= round.terms.trainDeadline) revert WrongPhase();
        Model storage model = round.models[round.selected];
        if (msg.sender != model.proposer || epoch >= model.trainingRounds) revert NotAllowed(msg.sender);
        round.globalRounds |= 1 << epoch;
        if (!round.guided) round.guided = true;
        emit GlobalRoundRecorded(roundId, epoch, modelDigest, updatesRoot);
    }

    function recordUpdate(uint256 roundId, uint256 epoch, bytes32 updateDigest) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        if (round.status != Status.Training || block.timestamp >= round.terms.trainDeadline) revert WrongPhase();
        if (!member.revealed || member.role != Role.BaseStation) revert NotAllowed(msg.sender);
        if (epoch >= round.models[round.selected].trainingRounds) revert NotAllowed(msg.sender);
        round.updates[msg.sender] |= 1 << epoch;
        if (!member.recorded) {
            member.recorded = true;
            ++round.recorders;
        }
        emit UpdateRecorded(roundId, msg.sender, epoch, updateDigest);
    }

    function reportResult(
        uint256 roundId,
        bytes32 modelDigest,
        uint16 claimedAccuracyBps,
        bytes32 targetsDigest,
        bytes32 salt
    ) external {
        Round storage round = _rounds[roundId];
        if (round.status != Status.Training || block.timestamp >= round.terms.voteDeadline) revert WrongPhase();
        Model storage model = round.models[round.selected];
        if (msg.sender != model.proposer) revert NotAllowed(msg.sender);
        if (block.timestamp < round.terms.trainDeadline && round.recorders != round.committedStations) {
            revert WrongPhase();
        }
        bytes32 digest = keccak256(
            abi.encode(block.chainid, address(this), roundId, msg.sender, claimedAccuracyBps, targetsDigest, salt)
        );
        if (digest != model.ownersDigest) revert WrongOpening(digest);
        round.status = Status.Reported;
        emit ResultReported(roundId, modelDigest, claimedAccuracyBps);
    }

    function vote(uint256 roundId, bool punish, uint16 measuredAccuracyBps) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        if (round.status != Status.Reported || block.timestamp >= round.terms.voteDeadline) revert WrongPhase();
        bool winner = member.proposed && member.model == round.selected;
        if (!member.committed || member.role != Role.Owner || winner || member.voted) revert NotAllowed(msg.sender);
        member.voted = true;
        ++round.votesCast;
        if (punish) ++round.votesFor;
        emit Voted(roundId, msg.sender, punish, measuredAccuracyBps);
    }
}
