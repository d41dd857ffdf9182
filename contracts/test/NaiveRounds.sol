// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The state of `NaiveCrowdfunding` and what reads it
abstract contract NaiveRounds {
    enum Role {
        Owner,
        BaseStation
    }

    enum Status {
        None,
        Open,
        Cancelled,
        NothingTrained,
        Training,
        Reported,
        Settled
    }

    /// @param maxOwnerBid, maxBaseBid gwei; bond wei; deadlines unix times, strictly increasing
    struct Terms {
        uint64 maxOwnerBid;
        uint64 maxBaseBid;
        uint96 bond;
        uint16 punishThresholdBps;
        uint8 maxModels;
        bytes32 membershipRoot;
        uint40 joinDeadline;
        uint40 commitDeadline;
        uint40 revealDeadline;
        uint40 selectDeadline;
        uint40 trainDeadline;
        uint40 voteDeadline;
    }

    struct Model {
        address proposer;
        uint16 trainingRounds;
        bytes32 ownersDigest;
        bytes32 stationsDigest;
    }

    struct Member {
        Role role;
        bool joined;
        bool proposed;
        bool committed;
        bool revealed;
        bool recorded;
        bool voted;
        uint8 model;
        bytes32 commitment;
        uint64[] bids;
    }

    struct Round {
        Terms terms;
        uint64 theta;
        Status status;
        bool guided;
        uint8 selected;
        uint32 recorders;
        uint32 votesFor;
        uint32 votesCast;
        uint32 committedOwners;
        uint32 committedStations;
        uint256 globalRounds;
        Model[] models;
        address[] owners;
        address[] stations;
        mapping(address account => Member) members;
        mapping(address station => uint256 epochs) updates;
    }

    /// @dev One side of a round: who joined, how many of them committed and revealed, and the sums of their bids, gwei.
    struct Side {
        address[] accounts;
        uint256 committed;
        uint256 revealed;
        uint256[] sums;
    }

    uint256 public roundCount;
    mapping(address account => uint256 amount) public freeBalance;
    mapping(uint256 roundId => Round) internal _rounds;

    event RoundCreated(uint256 indexed roundId, address indexed creator, uint64 theta, Terms terms);
    event Joined(uint256 indexed roundId, address indexed member, Role role, uint256 value);
    event ModelProposed(uint256 indexed roundId, address indexed proposer, uint256 model);
    event BidCommitted(uint256 indexed roundId, address indexed member, bytes32 commitment);
    event BidRevealed(uint256 indexed roundId, address indexed member, uint64[] bids);
    event ModelSelected(uint256 indexed roundId, uint256 model, uint256 margin);
    event NothingSelected(uint256 indexed roundId);
    event RoundCancelled(uint256 indexed roundId);
    event GlobalRoundRecorded(uint256 indexed roundId, uint256 epoch, bytes32 modelDigest, bytes32 updatesRoot);
    event UpdateRecorded(uint256 indexed roundId, address indexed station, uint256 epoch, bytes32 updateDigest);
    event ResultReported(uint256 indexed roundId, bytes32 modelDigest, uint16 claimedAccuracyBps);
    event Voted(uint256 indexed roundId, address indexed elector, bool punish, uint16 measuredAccuracyBps);
    event MemberSettled(
        uint256 indexed roundId,
        address indexed member,
        uint256 share,
        uint256 tax,
        uint256 slashed,
        uint256 reward,
        uint256 forfeited,
        uint256 rebate
    );

    error InvalidTerms();
    error WrongPhase();
    error NotAllowed(address account);
    error InvalidProof(address account);
    error WrongLock(uint256 value, uint256 lock);
    error WrongBids(address account);
    error WrongOpening(bytes32 digest);
    error TransferFailed();

    function _read(Round storage round, address[] storage joined) internal view returns (Side memory side) {
        side.accounts = joined;
        side.sums = new uint256[](round.models.length);
        for (uint256 i; i < side.accounts.length; ++i) {
            Member storage member = round.members[side.accounts[i]];
            if (!member.committed) continue;
            ++side.committed;
            if (!member.revealed) continue;
            ++side.revealed;
            uint64[] memory bids = member.bids;
            for (uint256 m; m < bids.length; ++m) {
                side.sums[m] += bids[m];
            }
        }
    }

    /// @dev A model is live if its proposer has committed.
    function _live(Round storage round) internal view returns (bool[] memory live) {
        live = new bool[](round.models.length);
        for (uint256 m; m < live.length; ++m) {
            live[m] = round.members[round.models[m].proposer].committed;
        }
    }

    function _cannotBeHeld(Round storage round, bool[] memory live) internal view returns (bool) {
        if (round.committedOwners < 2 || round.committedStations < 2) return true;
        for (uint256 m; m < live.length; ++m) {
            if (live[m]) return false;
        }
        return true;
    }

    function _statusNow(Round storage round, bool[] memory live) internal view returns (Status status) {
        status = round.status;
        if (status != Status.Open) return status;
        bool late = block.timestamp >= round.terms.selectDeadline;
        if (late || (block.timestamp >= round.terms.commitDeadline && _cannotBeHeld(round, live))) {
            return Status.Cancelled;
        }
    }

    function _settlementOpen(Round storage round, Status status) internal view returns (bool) {
        if (status == Status.Reported) {
            return round.votesCast == round.committedOwners - 1 || block.timestamp >= round.terms.voteDeadline;
        }
        return status == Status.Cancelled || status == Status.NothingTrained;
    }

    function _cancel(Round storage round, uint256 roundId) internal {
        round.status = Status.Cancelled;
        emit RoundCancelled(roundId);
    }

    function _lockOf(Round storage round, Role role) internal view returns (uint256) {
        if (role == Role.Owner) return 2 gwei * uint256(round.terms.maxOwnerBid) + round.terms.bond;
        return 1 gwei * uint256(round.terms.maxBaseBid) + round.terms.bond;
    }
}
