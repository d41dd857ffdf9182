// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The side of the market an account takes in a round.
enum Role {
    Owner,
    BaseStation
}

/// @notice How a side divides the total payment among its members.
/// @dev Equal: weight 1/n. Capability: weight p/Σp, points proven by the membership root. Contribution: base stations only;
/// the tax counts equal weights, the reward is divided by the points that the winner reports after training.
enum Policy {
    Equal,
    Capability,
    Contribution
}

/// @notice What has become of a round.
/// @dev A round whose select deadline passed, or that can no longer be selected, counts as Cancelled from that moment: `roundOf`
/// says so. The first settlement (or `selectModel`, before its deadline) stores it and emits RoundCancelled; until then the errors of
/// other calls name the status that is stored, Open.
enum Status {
    None,
    Open,
    Cancelled,
    NothingTrained,
    Training,
    Reported,
    Aborted
}

/// @notice How far a member has come in a round.
/// @dev Settled: its rebate is not yet paid. Closed: nothing is left for it here.
enum Stage {
    None,
    Joined,
    Committed,
    Revealed,
    Settled,
    Closed
}

/// @notice The step of the protocol that a round is in now.
/// @dev Report lasts until the report or `abortTraining`, also beyond its deadline.
enum Phase {
    Join,
    Commit,
    Reveal,
    Select,
    Train,
    Report,
    Vote,
    Settle
}

/// @title HCFL: truthful crowdfunding of hierarchical federated learning
/// @notice Owners and base stations lock funds, owners propose models, both sides send sealed bids; the contract selects the
/// model with the largest margin, works out shares and Clarke taxes, records the training, counts the vote about the winner, and
/// pays everyone. It has no administrator.
/// @dev Bids are gwei in 64-bit lanes, all other amounts wei. Every call costs O(models), whatever the number of members.
///
/// PACKED BIDS. A bid vector over M models is `W = M / 4 + 1` words. Lane l of a word is its bits `64 l … 64 l + 63`. Lane 0 of
/// word 0 is 0; the bid for model m is lane `(m + 1) % 4` of word `(m + 1) / 4`; lanes after the last model are 0.
interface IHCFL {
    // ───────────────────────────────────────────── structs ─────────────────────────────────────────────

    /// @notice Unix times, each strictly later than the one before, the first later than now, the last within 365 days. A phase is
    /// open while `block.timestamp` is below its own.
    /// @dev Nothing checks that a phase is long enough for a block: a member reads them before it joins.
    struct Deadlines {
        uint40 join;
        uint40 commit;
        uint40 reveal;
        uint40 select;
        uint40 train;
        uint40 report;
        uint40 vote;
    }

    /// @notice What the creator of a round fixes for good.
    /// @param maxOwnerBid largest bid of an owner for a model, gwei, 1 … 2^44−1
    /// @param maxBaseBid largest bid of a base station for a model, gwei, 1 … 2^44−1
    /// @param bond wei that silence, absence or a lost vote costs; at least `maxBaseBid` (twice that under Contribution)
    /// @param ownerPolicy Equal or Capability
    /// @param basePolicy Equal, Capability or Contribution
    /// @param punishThresholdBps the winner is punished by more than this part of the electors, 1/10,000; below 10,000
    /// @param maxModels largest number of proposals, 1 … 64
    /// @param membershipRoot root of an OpenZeppelin standard Merkle tree over `(address account, uint8 role, uint32 points)`,
    /// or 0: anyone may join, with Equal policies only
    struct RoundParams {
        uint64 maxOwnerBid;
        uint64 maxBaseBid;
        uint256 bond;
        Policy ownerPolicy;
        Policy basePolicy;
        uint16 punishThresholdBps;
        uint8 maxModels;
        bytes32 membershipRoot;
        Deadlines deadlines;
    }

    /// @notice A proposed model. Its two texts travel off chain, encrypted to each member of the side that may read them.
    /// @param ownersDigest `ownersDigestOf(...)` of what owners may read: expected accuracy and target labels
    /// @param stationsDigest digest of what base stations may read: parameters, model characteristics, training rounds
    /// @param trainingRounds global rounds (epochs) of training, 1 … 256
    struct Proposal {
        bytes32 ownersDigest;
        bytes32 stationsDigest;
        uint16 trainingRounds;
    }

    /// @notice Opens a proposal's `ownersDigest` in the winner's report.
    struct Opening {
        uint16 claimedAccuracyBps;
        bytes32 targetsDigest;
        bytes32 salt;
    }

    /// @notice A model as stored.
    struct Model {
        address proposer;
        uint16 trainingRounds;
        bytes32 ownersDigest;
        bytes32 stationsDigest;
    }

    /// @notice The state of a round, for readers off chain. Pairs are owners, base stations.
    /// @param thetaNumerator θ = thetaNumerator / 2^64
    /// @param modelCount number of proposed models, live or not
    /// @param committed numbers of committed members
    /// @param points Σp of the committed members under Capability, else their number
    /// @param votesFor number of votes for punishment
    /// @param votesCast number of all votes
    /// @param live bit m is set when the proposer of model m has committed
    /// @param selected index of the selected model; meaningful from status Training on
    /// @param revealed numbers of owners and base stations that have revealed
    /// @param recorders number of base stations that have recorded an update
    /// @param guided whether the winner has recorded a global round
    /// @param settled number of committed members that are settled
    /// @param escrow wei that the round holds
    struct RoundView {
        Status status;
        Phase phase;
        uint64 thetaNumerator;
        uint256 modelCount;
        uint256 live;
        uint256 selected;
        uint256[2] committed;
        uint256[2] points;
        uint256[2] revealed;
        uint256 recorders;
        bool guided;
        uint256 votesFor;
        uint256 votesCast;
        uint256 settled;
        uint256 escrow;
    }

    /// @notice A member of a round, for readers off chain.
    /// @param points its allocation points; for a base station under Contribution the points that the winner has reported
    /// @param model the index of its model, where it is a proposer
    /// @param payload commitment, then hash of the revealed bids (top 208 bits each), then wei that it put into the recycling
    struct MemberView {
        Stage stage;
        Role role;
        uint32 points;
        bool proposer;
        uint256 model;
        bool recorded;
        bool listedZero;
        bool voted;
        uint256 payload;
    }

    // ───────────────────────────────────────────── events ──────────────────────────────────────────────

    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);

    event RoundCreated(uint256 indexed roundId, address indexed creator, uint64 thetaNumerator, RoundParams params);
    /// @notice A member locked `lockOf(roundId, role, points)` wei: the value it sent, and the rest out of its free balance; a surplus
    /// became free. With deposits, withdrawals, settlements and rebates this tells every free balance.
    event Joined(uint256 indexed roundId, address indexed member, Role role, uint32 points, uint256 value);
    event ModelProposed(uint256 indexed roundId, address indexed proposer, uint256 model, Proposal proposal);
    event BidCommitted(uint256 indexed roundId, address indexed member, bytes32 commitment);
    /// @param bids packed bids, gwei
    event BidRevealed(uint256 indexed roundId, address indexed member, uint256[] bids);
    /// @param margin V − K, wei
    event ModelSelected(uint256 indexed roundId, address indexed winner, uint256 model, uint256 margin);
    event NothingSelected(uint256 indexed roundId);
    event RoundCancelled(uint256 indexed roundId);
    event GlobalRoundRecorded(
        uint256 indexed roundId, address indexed winner, uint256 epoch, bytes32 modelDigest, bytes32 updatesRoot
    );
    event UpdateRecorded(uint256 indexed roundId, address indexed station, uint256 epoch, bytes32 updateDigest);
    event ContributionReported(uint256 indexed roundId, address indexed station, uint32 points);
    event ResultReported(uint256 indexed roundId, address indexed winner, bytes32 modelDigest, Opening opening);
    /// @param partPerRecorder wei that each base station gets which revealed and recorded an update
    event TrainingAborted(uint256 indexed roundId, address indexed winner, uint256 partPerRecorder);
    event Voted(uint256 indexed roundId, address indexed elector, bool punish, uint16 measuredAccuracyBps);
    /// @notice What a settlement collected from a member and what it earned, wei; its lock less these and plus the reward is free.
    /// @param share collected of the member's share (owners)
    /// @param tax collected of its Clarke tax
    /// @param slashed collected of its bond
    /// @param reward paid to it (base stations)
    /// @param forfeited the reward that it lost
    event MemberSettled(
        uint256 indexed roundId,
        address indexed member,
        uint256 share,
        uint256 tax,
        uint256 slashed,
        uint256 reward,
        uint256 forfeited
    );
    /// @param amount wei
    event RebatePaid(uint256 indexed roundId, address indexed member, uint256 amount);

    // ───────────────────────────────────────────── errors ──────────────────────────────────────────────

    error InsufficientBalance(uint256 available, uint256 required);
    error TransferFailed(address account, uint256 amount);

    error UnknownRound(uint256 roundId);
    /// @param cap gwei
    error InvalidCap(uint256 cap);
    /// @notice All three in wei.
    error BondOutOfRange(uint256 bond, uint256 minimum, uint256 maximum);
    error InvalidPolicy(Role role, Policy policy);
    error MembershipRootRequired(Role role, Policy policy);
    error InvalidThreshold(uint256 bps);
    error InvalidMaxModels(uint256 maxModels);
    error InvalidDeadline(uint256 index, uint256 deadline, uint256 after_);
    error DeadlineTooFar(uint256 deadline, uint256 latest);

    /// @notice The call's phase opens at `opensAt` (or earlier, where it can open early).
    error PhaseNotOpen(uint256 roundId, uint256 opensAt);
    error DeadlinePassed(uint256 roundId, uint256 deadline);
    error WrongStatus(uint256 roundId, Status actual, Status required);
    error SettlementNotOpen(uint256 roundId, Status status);

    error NotAMember(uint256 roundId, address account);
    error AlreadyJoined(uint256 roundId, address account);
    error WrongRole(address account, Role actual, Role required);
    error InvalidPoints(uint256 points);
    error InvalidProof(address account, Role role, uint256 points);
    error RoundFull(uint256 roundId);

    error AlreadyProposed(address owner, uint256 model);
    error TooManyModels(uint256 maxModels);
    error InvalidTrainingRounds(uint256 trainingRounds);

    error AlreadyCommitted(uint256 roundId, address account);
    error NotCommitted(uint256 roundId, address account);
    error AlreadyRevealed(uint256 roundId, address account);
    error WrongBidLength(uint256 length, uint256 required);
    /// @notice Bid and cap in gwei.
    error BidOverCap(uint256 model, uint256 bid, uint256 cap);
    error MalformedBids(uint256 wordIndex, uint256 word);
    error WrongOpening(address member, bytes32 commitment);
    error WrongBids(address member);

    error NotTheWinner(address caller, address winner);
    error NotRevealed(uint256 roundId, address station);
    error InvalidEpoch(uint256 epoch, uint256 trainingRounds);
    error AlreadyRecorded(address account, uint256 epoch);
    error LengthMismatch(uint256 first, uint256 second);
    error InvalidContribution(address station, uint256 points);
    error ContributionsDoNotAddUp(uint256 sum, uint256 required);
    error UpdatesMissing(uint256 recorders, uint256 revealed);
    error InvalidAccuracy(uint256 bps);
    error WrongProposalOpening(bytes32 digest, bytes32 proposed);

    error NotAnElector(address account);
    error AlreadyVoted(address account);
    error AlreadySettled(uint256 roundId, address account);
    error RebateNotDue(uint256 roundId, address account);

    // ───────────────────────────────────────────── accounts ────────────────────────────────────────────

    /// @notice Wei of an account that no round holds.
    function freeBalance(address account) external view returns (uint256 amount);

    /// @notice Adds the value sent to the caller's free balance.
    function deposit() external payable;

    /// @notice Sends the caller part of its free balance.
    function withdraw(uint256 amount) external;

    // ────────────────────────────────────────── create and join ────────────────────────────────────────

    /// @notice Creates a round and draws its θ. Anyone may.
    /// @return roundId the round's number, from 1
    function createRound(RoundParams calldata params) external returns (uint256 roundId);

    /// @notice Joins a round and locks the caller's funds, until the join deadline. What the lock needs beyond `msg.value` comes
    /// from the caller's free balance; what `msg.value` exceeds it by goes there.
    /// @param points the caller's allocation points; 1 unless its side's policy is Capability
    /// @param proof Merkle proof of `(caller, role, points)`; ignored in a round without a root
    /// @param rebateRounds earlier rounds whose rebates to the caller are credited first (paper, section IV-A.3)
    function join(uint256 roundId, Role role, uint32 points, bytes32[] calldata proof, uint256[] calldata rebateRounds)
        external
        payable;

    /// @notice Proposes the caller's model, until the join deadline. One each, owners only.
    /// @return model the model's index
    function propose(uint256 roundId, Proposal calldata proposal) external returns (uint256 model);

    // ───────────────────────────────────────── commit and reveal ───────────────────────────────────────

    /// @notice Seals the caller's bids: `commitmentOf(roundId, caller, bids, salt)`. From the join to the commit deadline, once.
    /// @dev The contract keeps the top 208 bits.
    function commitBid(uint256 roundId, bytes32 commitment) external;

    /// @notice `join` and `commitBid` in one call, for who has not joined, from the join to the commit deadline.
    function joinAndCommit(
        uint256 roundId,
        Role role,
        uint32 points,
        bytes32[] calldata proof,
        uint256[] calldata rebateRounds,
        bytes32 commitment
    ) external payable;

    /// @notice Opens the caller's commitment, from the commit to the reveal deadline.
    /// @dev In a round that cannot be held (see `selectModel`) a reveal tells the bids for nothing: call `selectModel` first, which
    /// cancels it. Reveals are refused only once that is stored; reading it each time would cost every reveal 4,200 gas. (A lone member
    /// of a side under Capability is refused at once, with WrongStatus(Cancelled, Open).)
    /// @param bids packed bids
    function revealBid(uint256 roundId, uint256[] calldata bids, bytes32 salt) external;

    // ────────────────────────────────────────────── select ─────────────────────────────────────────────

    /// @notice Selects the model with the largest positive margin, the lowest index on a tie; or finds that nothing is worth
    /// training; or cancels the round, where no base station has revealed. From the reveal deadline, or once every commitment is
    /// revealed, to the select deadline; cancels at once from the commit deadline where a side has fewer than two committed members
    /// or no model is live. Anyone may.
    function selectModel(uint256 roundId) external;

    // ─────────────────────────────────────────── train and report ──────────────────────────────────────

    /// @notice Records a global round: the digest of the global model and the Merkle root of the updates it averages. Winner only,
    /// until the train deadline, once an epoch.
    function recordGlobalRound(uint256 roundId, uint256 epoch, bytes32 modelDigest, bytes32 updatesRoot) external;

    /// @notice Records the caller's update of an epoch. Base stations that revealed, until the train deadline, once an epoch.
    function recordUpdate(uint256 roundId, uint256 epoch, bytes32 updateDigest) external;

    /// @notice Lists base stations with their contribution. Winner only, until the report deadline, in as many calls as it needs;
    /// a later entry replaces an earlier one. Under Contribution all entries must add up to 1,000,000 at the report; under the
    /// other policies only an entry of 0 has an effect: it forfeits the station's reward and bond.
    /// @param points each below 1,000,000
    /// @param bids under Contribution the stations' packed bids one after the other (zeros for one that never revealed); else
    /// ignored
    function reportContributions(
        uint256 roundId,
        address[] calldata stations,
        uint32[] calldata points,
        uint256[] calldata bids
    ) external;

    /// @notice Reports the trained model and opens the claim made at proposal time; opens the vote. Winner only, until the report
    /// deadline, and before the train deadline only if every base station that revealed has recorded an update.
    /// @dev A claim beyond 10,000 is accepted, so that a careless proposal does not end in an abort; no accuracy can reach it.
    function reportResult(uint256 roundId, bytes32 modelDigest, Opening calldata opening) external;

    /// @notice Ends a round whose winner has not reported by the report deadline. Anyone may.
    /// @param winnerBids the winner's packed bids, zeros if it never revealed
    function abortTraining(uint256 roundId, uint256[] calldata winnerBids) external;

    // ─────────────────────────────────────────────── vote ──────────────────────────────────────────────

    /// @notice Votes for or against punishing the winner (paper, section IV-A.2). Committed owners but the winner, once, from the
    /// report to the vote deadline.
    /// @param measuredAccuracyBps the accuracy that the caller measured, 1/10,000
    function vote(uint256 roundId, bool punish, uint16 measuredAccuracyBps) external;

    // ────────────────────────────────────────────── settle ─────────────────────────────────────────────

    /// @notice Releases a member's lock and moves its share, tax, reward and slashed bond. Anyone may, for anyone: from a cancellation,
    /// NothingSelected or an abort on; after a report once all electors have voted, else from the vote deadline.
    /// @param bids the member's packed bids, zeros if it never revealed; not looked at if it never committed
    function settle(uint256 roundId, address member, uint256[] calldata bids) external;

    /// @notice Settles many members; skips those who are settled already.
    /// @param bids the members' packed bids one after the other, W words each
    function settleMany(uint256 roundId, address[] calldata members, uint256[] calldata bids) external;

    /// @notice Pays the caller what the round recycles to it, once every committed member of the round is settled.
    function claimRebate(uint256 roundId) external;

    // ─────────────────────────────────────────────── views ─────────────────────────────────────────────

    /// @notice Number of rounds created; the newest round's number.
    function roundCount() external view returns (uint256);

    /// @notice A round's state now. Reverts with UnknownRound; the views below return zeros for what does not exist.
    function roundOf(uint256 roundId) external view returns (RoundView memory);

    /// @notice A proposed model.
    function modelOf(uint256 roundId, uint256 model) external view returns (Model memory);

    /// @notice A member of a round.
    function memberOf(uint256 roundId, address account) external view returns (MemberView memory);

    /// @notice A round's sums over the revealed bids, gwei: `V^m` and `K^m`.
    function sumsOf(uint256 roundId) external view returns (uint256[] memory values, uint256[] memory costs);

    /// @notice The lock of a member with that role and those points, wei: `maxOwnerBid · (1 + points) + bond` for an owner,
    /// `maxBaseBid + bond` for a base station (twice the cap under Contribution).
    function lockOf(uint256 roundId, Role role, uint32 points) external view returns (uint256);

    /// @notice What `claimRebate` would pay; 0 where nothing is due.
    function rebateOf(uint256 roundId, address account) external view returns (uint256);

    /// @notice `keccak256(abi.encode(block.chainid, address(this), roundId, member, bids, salt))`.
    function commitmentOf(uint256 roundId, address member, uint256[] calldata bids, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice `keccak256(abi.encode(block.chainid, address(this), roundId, proposer, claimedAccuracyBps, targetsDigest, salt))`.
    function ownersDigestOf(uint256 roundId, address proposer, Opening calldata opening) external view returns (bytes32);
}
