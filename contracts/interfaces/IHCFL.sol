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
    /// @param claimedAccuracyBps the accuracy that the proposal promised, 1/10,000
    /// @param targetsDigest digest of the target labels
    /// @param salt 32 secret bytes, drawn when the digest was made
    struct Opening {
        uint16 claimedAccuracyBps;
        bytes32 targetsDigest;
        bytes32 salt;
    }

    /// @notice A model as stored: who proposed it, and its `Proposal`.
    struct Model {
        address proposer;
        uint16 trainingRounds;
        bytes32 ownersDigest;
        bytes32 stationsDigest;
    }

    /// @notice The state of a round, for readers off chain. Pairs are owners, base stations.
    /// @param status what has become of it, deadlines that have passed counted in
    /// @param phase its step now, early ends counted in
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
    /// @param stage how far it has come; None: not a member
    /// @param role its side
    /// @param points its allocation points; for a base station under Contribution the points that the winner has reported
    /// @param proposer whether it has proposed a model
    /// @param model the index of its model, where it is a proposer
    /// @param recorded whether it has recorded an update (base stations)
    /// @param listedZero whether the winner has listed it with 0 points (base stations)
    /// @param voted whether it has voted about the winner (owners)
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

    /// @notice `amount` wei became free.
    event Deposited(address indexed account, uint256 amount);
    /// @notice `amount` wei left the contract, to `account`.
    event Withdrawn(address indexed account, uint256 amount);

    /// @notice A round is open for joining; θ = thetaNumerator / 2^64.
    event RoundCreated(uint256 indexed roundId, address indexed creator, uint64 thetaNumerator, RoundParams params);
    /// @notice A member locked `lockOf(roundId, role, points)` wei: the value it sent, and the rest out of its free balance; a surplus
    /// became free. With deposits, withdrawals, settlements and rebates this tells every free balance.
    event Joined(uint256 indexed roundId, address indexed member, Role role, uint32 points, uint256 value);
    /// @notice An owner proposed `model`, which lives once its proposer has committed.
    event ModelProposed(uint256 indexed roundId, address indexed proposer, uint256 model, Proposal proposal);
    /// @notice A member sealed its bids.
    event BidCommitted(uint256 indexed roundId, address indexed member, bytes32 commitment);
    /// @notice A member opened its commitment; its bids are in the sums.
    /// @param bids packed bids, gwei
    event BidRevealed(uint256 indexed roundId, address indexed member, uint256[] bids);
    /// @notice `winner` proposed the selected model; training may begin.
    /// @param margin V − K, wei
    event ModelSelected(uint256 indexed roundId, address indexed winner, uint256 model, uint256 margin);
    /// @notice No margin is positive: nothing is trained, taxes are due.
    event NothingSelected(uint256 indexed roundId);
    /// @notice The round is over without a selection; locks can be released.
    event RoundCancelled(uint256 indexed roundId);
    /// @notice The winner recorded an epoch's global model and the Merkle root of the updates in it.
    event GlobalRoundRecorded(
        uint256 indexed roundId, address indexed winner, uint256 epoch, bytes32 modelDigest, bytes32 updatesRoot
    );
    /// @notice A base station recorded its update of an epoch.
    event UpdateRecorded(uint256 indexed roundId, address indexed station, uint256 epoch, bytes32 updateDigest);
    /// @notice The winner listed a base station with these points, in place of earlier ones.
    event ContributionReported(uint256 indexed roundId, address indexed station, uint32 points);
    /// @notice The winner named its final model and opened its claim; the vote begins.
    event ResultReported(uint256 indexed roundId, address indexed winner, bytes32 modelDigest, Opening opening);
    /// @notice The winner never reported.
    /// @param partPerRecorder wei that each base station gets which revealed and recorded an update
    event TrainingAborted(uint256 indexed roundId, address indexed winner, uint256 partPerRecorder);
    /// @notice An elector voted for (`punish`) or against punishing the winner.
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
    /// @notice A settled member was credited what the round recycles to it.
    /// @param amount wei
    event RebatePaid(uint256 indexed roundId, address indexed member, uint256 amount);

    // ───────────────────────────────────────────── errors ──────────────────────────────────────────────

    /// @notice Less is free than the call takes, wei.
    error InsufficientBalance(uint256 available, uint256 required);
    /// @notice The caller did not take the ether that it withdrew.
    error TransferFailed(address account, uint256 amount);

    /// @notice No such round was created.
    error UnknownRound(uint256 roundId);
    /// @notice A cap on bids is 0 or beyond 2^44 − 1.
    /// @param cap gwei
    error InvalidCap(uint256 cap);
    /// @notice All three in wei.
    error BondOutOfRange(uint256 bond, uint256 minimum, uint256 maximum);
    /// @notice Owners cannot be shared by Contribution.
    error InvalidPolicy(Role role, Policy policy);
    /// @notice A round that anyone may join takes Equal policies only.
    error MembershipRootRequired(Role role, Policy policy);
    /// @notice No vote could pass it.
    error InvalidThreshold(uint256 bps);
    /// @notice Not 1 … 64.
    error InvalidMaxModels(uint256 maxModels);
    /// @notice Deadline `index` (0: join … 6: vote) is not after the one before, or the block's time.
    error InvalidDeadline(uint256 index, uint256 deadline, uint256 after_);
    /// @notice The last deadline is more than 365 days ahead.
    error DeadlineTooFar(uint256 deadline, uint256 latest);

    /// @notice The call's phase opens at `opensAt` (or earlier, where it can open early).
    error PhaseNotOpen(uint256 roundId, uint256 opensAt);
    /// @notice The call's phase is over.
    error DeadlinePassed(uint256 roundId, uint256 deadline);
    /// @notice The round is not in the status that the call needs.
    error WrongStatus(uint256 roundId, Status actual, Status required);
    /// @notice Training, report or vote are still to come.
    error SettlementNotOpen(uint256 roundId, Status status);

    /// @notice The account never joined the round.
    error NotAMember(uint256 roundId, address account);
    /// @notice The caller has a role in the round.
    error AlreadyJoined(uint256 roundId, address account);
    /// @notice The call is the other side's, or the account is on the other.
    error WrongRole(address account, Role actual, Role required);
    /// @notice No points, or others than 1 where all weigh the same.
    error InvalidPoints(uint256 points);
    /// @notice The membership root does not hold this line.
    error InvalidProof(address account, Role role, uint256 points);
    /// @notice The side counts no more members, or the escrow no more wei.
    error RoundFull(uint256 roundId);

    /// @notice One model an owner.
    error AlreadyProposed(address owner, uint256 model);
    /// @notice The round has all that it takes.
    error TooManyModels(uint256 maxModels);
    /// @notice Not 1 … 256.
    error InvalidTrainingRounds(uint256 trainingRounds);

    /// @notice A commitment stands.
    error AlreadyCommitted(uint256 roundId, address account);
    /// @notice The account joined and has no commitment.
    error NotCommitted(uint256 roundId, address account);
    /// @notice The bids are open, or the member is settled.
    error AlreadyRevealed(uint256 roundId, address account);
    /// @notice Not W words for each member.
    error WrongBidLength(uint256 length, uint256 required);
    /// @notice Bid and cap in gwei.
    error BidOverCap(uint256 model, uint256 bid, uint256 cap);
    /// @notice Something is in a lane that holds no bid.
    error MalformedBids(uint256 wordIndex, uint256 word);
    /// @notice Bids and salt make another commitment than the member's.
    error WrongOpening(address member, bytes32 commitment);
    /// @notice Not the bids that the member revealed, zeros where it revealed none.
    error WrongBids(address member);

    /// @notice Only the proposer of the selected model may.
    error NotTheWinner(address caller, address winner);
    /// @notice A base station that was silent does not train.
    error NotRevealed(uint256 roundId, address station);
    /// @notice Epochs are 0 … trainingRounds − 1.
    error InvalidEpoch(uint256 epoch, uint256 trainingRounds);
    /// @notice Once an epoch.
    error AlreadyRecorded(address account, uint256 epoch);
    /// @notice Two lists that go together have different lengths.
    error LengthMismatch(uint256 first, uint256 second);
    /// @notice 1,000,000 points or more.
    error InvalidContribution(address station, uint256 points);
    /// @notice The listed points miss 1,000,000.
    error ContributionsDoNotAddUp(uint256 sum, uint256 required);
    /// @notice Before the train deadline every base station that revealed must have recorded an update.
    error UpdatesMissing(uint256 recorders, uint256 revealed);
    /// @notice Above 10,000.
    error InvalidAccuracy(uint256 bps);
    /// @notice The opening is not of the digest that was proposed.
    error WrongProposalOpening(bytes32 digest, bytes32 proposed);

    /// @notice Electors are the committed, unsettled owners but the winner.
    error NotAnElector(address account);
    /// @notice Once an elector.
    error AlreadyVoted(address account);
    /// @notice The member was settled before.
    error AlreadySettled(uint256 roundId, address account);
    /// @notice Not all are settled yet, the caller is no settled member, or it was paid.
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
