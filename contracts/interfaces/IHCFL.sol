// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The side of the market an account takes in a round.
enum Role {
    Owner,
    BaseStation
}

/// @notice How owners divide the total payment. Base stations always weigh the same.
/// @dev Equal: weight 1/n. Capability: weight p/Σp, points proven by the membership list, and θ is 0.
enum Policy {
    Equal,
    Capability
}

/// @notice What has become of a round.
/// @dev A round is Cancelled from the moment at which it can no longer be selected: at the commit deadline where it cannot be held (two
/// owners, three base stations and a live model have not committed), at the end of the draw's window where it was not drawn, at the
/// select deadline. `roundOf` says so at once; errors say Open until a settlement, a draw or a selection stores it (RoundCancelled).
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
/// @dev Who is settled is forgotten (None again), but for the claimant: it stays, Settled, for its lot.
enum Stage {
    None,
    Joined,
    Committed,
    Revealed,
    Settled
}

/// @notice The step of the protocol that a round is in now.
/// @dev Report lasts until the report or `abortTraining`, also beyond its deadline.
enum Phase {
    Join,
    Commit,
    Draw,
    Reveal,
    Select,
    Train,
    Report,
    Vote,
    Settle
}

/// @title HCFL: truthful crowdfunding of hierarchical federated learning
/// @notice Owners and base stations lock funds, owners propose models, both sides send sealed bids. Once bids are sealed, one base
/// station is drawn: the claimant, whose bid stays closed and who receives all taxes. The contract selects the model with the largest
/// score, works out shares and Clarke taxes, records the training, counts the votes, and pays everyone. It has no administrator.
/// @dev Bids are gwei in 64-bit lanes, all other amounts wei. Every call costs O(models), whatever the number of members.
///
/// PACKED BIDS. A bid vector over M models is `W = M / 4 + 1` words. Lane l of a word is its bits `64 l … 64 l + 63`. Lane 0 of
/// word 0 is 0; the bid for model m is lane `(m + 1) % 4` of word `(m + 1) / 4`; lanes after the last model are 0.
///
/// THE DOOR. `door = keccak256(abi.encode(membershipRoot, termsHash))` with `termsHash = keccak256(abi.encode(terms))`. Who joins brings
/// the hash of the terms that it read and the proof that it is listed: both together must open the door.
///
/// THE DRAW. `c = keccak256(abi.encode(source, roundId))`, where `source` is `block.prevrandao`, or where that is at most 2^64 (a chain
/// without one) the hash of the block before. `u = uint64(c)` gives `t = (lo · 2^64 + (hi − lo) · u) / 10,000`, θ = t / 2^64, and the
/// claimant is the base station that committed as number `uint96(c >> 64) % stations + 1`.
interface IHCFL {
    // ───────────────────────────────────────────── structs ─────────────────────────────────────────────

    /// @notice Unix times. A phase is open while `block.timestamp` is below its own. Each lasts at least 60 seconds, the reveal phase,
    /// which holds the draw, 240: `join` is so much later than now, each other than the one before. The last is within 365 days.
    struct Deadlines {
        uint40 join;
        uint40 commit;
        uint40 reveal;
        uint40 select;
        uint40 train;
        uint40 report;
        uint40 vote;
    }

    /// @notice What the creator of a round fixes for good, beside the membership list.
    /// @param maxOwnerBid largest bid of an owner for a model, gwei, 1 … 2^44−1
    /// @param maxStationBid largest bid of a base station for a model, gwei, 1 … 2^44−1
    /// @param bond wei that silence, absence, a missing report or a verdict costs; whole gwei, `maxStationBid` … 2^54−1 gwei
    /// @param contributionStake wei that every base station stakes upon its contribution; whole gwei, 0 (none) … 2^44−1 gwei
    /// @param ownerPolicy Equal or Capability
    /// @param surplusMinBps least part of the surplus that goes to the base stations (θ), 1/10,000; 0 under Capability
    /// @param surplusMaxBps largest such part, `surplusMinBps` … 9,999; 0 under Capability
    /// @param thresholdBps a verdict needs more than this part of the electors, 1/10,000, 5,000 … 9,999
    /// @param toleranceBps the measured accuracy may be so much below the claimed one, 1/10,000, below 10,000
    /// @param maxModels largest number of proposals, 1 … 64
    struct RoundTerms {
        uint64 maxOwnerBid;
        uint64 maxStationBid;
        uint256 bond;
        uint256 contributionStake;
        Policy ownerPolicy;
        uint16 surplusMinBps;
        uint16 surplusMaxBps;
        uint16 thresholdBps;
        uint16 toleranceBps;
        uint8 maxModels;
        Deadlines deadlines;
    }

    /// @notice A proposed model. Its two texts travel off chain, encrypted to each member of the side that may read them.
    /// @param ownersDigest `ownersDigestOf(...)` of what owners may read: expected accuracy and target labels
    /// @param stationsDigest digest of what base stations may read: all that they need to train alone
    /// @param globalRounds global rounds of training, 1 … 256
    struct Proposal {
        bytes32 ownersDigest;
        bytes32 stationsDigest;
        uint16 globalRounds;
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
        uint16 globalRounds;
        bytes32 ownersDigest;
        bytes32 stationsDigest;
    }

    /// @notice The state of a round, for readers off chain. Pairs are owners, base stations.
    /// @param status what has become of it, deadlines that have passed counted in
    /// @param phase its step now, early ends counted in
    /// @param thetaNumerator θ = thetaNumerator / 2^64; 0 until it is drawn
    /// @param claimant the claimant's ordinal among the committed base stations, from 1; 0: not drawn
    /// @param modelCount number of proposed models, live or not
    /// @param live bit m is set when the proposer of model m has committed
    /// @param selected index of the selected model; meaningful from status Training on
    /// @param globalRounds T of the selected model
    /// @param committed numbers of committed members
    /// @param points Σp of the committed owners (their number under Equal)
    /// @param revealed numbers of owners and base stations that have revealed
    /// @param recorders number of base stations that have recorded a global round
    /// @param finished number of base stations that have recorded every global round
    /// @param listedPoints sum of the points that the winner has listed
    /// @param votesPunish number of votes for punishment
    /// @param votesUphold number of votes that uphold the contributions
    /// @param votesCast number of all votes
    /// @param escrow wei that the round holds: locks, the lot and what is kept
    /// @param lot wei that have come in for the claimant and are not yet claimed
    struct RoundView {
        Status status;
        Phase phase;
        uint64 thetaNumerator;
        uint256 claimant;
        uint256 modelCount;
        uint256 live;
        uint256 selected;
        uint256 globalRounds;
        uint256[2] committed;
        uint256 points;
        uint256[2] revealed;
        uint256 recorders;
        uint256 finished;
        uint256 listedPoints;
        uint256 votesPunish;
        uint256 votesUphold;
        uint256 votesCast;
        uint256 escrow;
        uint256 lot;
    }

    /// @notice A member of a round, for readers off chain. Of a settled one nothing is left, but of the claimant.
    /// @param stage how far it has come; None: not a member, or settled
    /// @param role its side
    /// @param points an owner's capability points; of a base station the points that the winner has listed
    /// @param proposer whether it has proposed a model
    /// @param model the index of its model, where it is a proposer
    /// @param ordinal a base station's number in the order of commits, from 1; 0: not committed, or an owner
    /// @param claimant whether it is the claimant
    /// @param recorded number of global rounds that it has recorded
    /// @param listed whether the winner has listed it (base stations)
    /// @param voted whether it has voted (owners)
    /// @param sealedBid top 182 bits of the commitment, then of the hash of the revealed bids
    struct MemberView {
        Stage stage;
        Role role;
        uint32 points;
        bool proposer;
        uint256 model;
        uint256 ordinal;
        bool claimant;
        uint256 recorded;
        bool listed;
        bool voted;
        uint256 sealedBid;
    }

    // ───────────────────────────────────────────── events ──────────────────────────────────────────────

    /// @notice `amount` wei became free.
    event Deposited(address indexed account, uint256 amount);
    /// @notice `amount` wei of `account` left the contract, to `to`.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice A round is open for joining.
    event RoundCreated(uint256 indexed roundId, address indexed creator, RoundTerms terms, bytes32 membershipRoot);
    /// @notice A member locked `lockOf(roundId, role, points)` wei: the value it sent, and the rest out of its free balance; a surplus
    /// became free. With deposits, withdrawals, settlements and lots this tells every free balance.
    event Joined(uint256 indexed roundId, address indexed member, Role role, uint32 points, uint256 value);
    /// @notice An owner proposed `model`, which lives once its proposer has committed.
    event ModelProposed(uint256 indexed roundId, address indexed proposer, uint256 model, Proposal proposal);
    /// @notice A member sealed its bids. The order of a round's events among base stations gives their ordinals.
    event BidCommitted(uint256 indexed roundId, address indexed member, bytes32 commitment);
    /// @notice θ and the claimant are drawn; bids may be revealed.
    /// @param ordinal the claimant's number in the order in which base stations committed, from 1
    event ClaimantDrawn(uint256 indexed roundId, uint64 thetaNumerator, uint256 ordinal);
    /// @notice A member opened its commitment; its packed bids, gwei, are in the sums.
    event BidRevealed(uint256 indexed roundId, address indexed member, uint256[] bids);
    /// @notice `winner` proposed the selected model; training may begin.
    /// @param score E = (n_B − 1) V − n_B K, wei
    event ModelSelected(uint256 indexed roundId, address indexed winner, uint256 model, uint256 score);
    /// @notice No score is positive: nothing is trained, taxes are due.
    event NothingSelected(uint256 indexed roundId);
    /// @notice The round is over without a selection; locks can be released.
    event RoundCancelled(uint256 indexed roundId);
    /// @notice The winner recorded a global round's model and the Merkle root of the updates in it.
    event GlobalRoundRecorded(
        uint256 indexed roundId, address indexed winner, uint256 globalRound, bytes32 modelDigest, bytes32 updatesRoot
    );
    /// @notice A base station recorded its update of a global round.
    event UpdateRecorded(uint256 indexed roundId, address indexed station, uint256 globalRound, bytes32 updateDigest);
    /// @notice The winner listed a base station with these points, in place of earlier ones.
    event ContributionReported(uint256 indexed roundId, address indexed station, uint32 points);
    /// @notice The winner named its final model and opened its claim; the vote begins.
    event ResultReported(uint256 indexed roundId, address indexed winner, bytes32 modelDigest, Opening opening);
    /// @notice The winner never reported.
    event TrainingAborted(uint256 indexed roundId, address indexed winner);
    /// @notice An elector voted: for punishment exactly if `measuredAccuracyBps + toleranceBps` is below the claimed accuracy.
    event Voted(uint256 indexed roundId, address indexed elector, uint16 measuredAccuracyBps, bool upholdContributions);
    /// @notice What a settlement collected from a member and what it earned, wei; its lock, plus reward and bonus, less the three that
    /// were collected, is free.
    /// @param share collected of the member's share (owners)
    /// @param tax collected of its Clarke tax, into the lot
    /// @param slashed collected of its bond
    /// @param reward paid to it (base stations)
    /// @param forfeited the part of its reward that it did not earn
    /// @param bonus what it got back of the contribution stakes less its own
    event MemberSettled(
        uint256 indexed roundId,
        address indexed member,
        uint256 share,
        uint256 tax,
        uint256 slashed,
        uint256 reward,
        uint256 forfeited,
        int256 bonus
    );
    /// @notice The claimant was credited `amount` wei, which had come in of the lot.
    event LotClaimed(uint256 indexed roundId, address indexed claimant, uint256 amount);

    // ───────────────────────────────────────────── errors ──────────────────────────────────────────────

    /// @notice Less is free than the call takes, wei.
    error InsufficientBalance(uint256 available, uint256 required);
    /// @notice The receiver did not take the ether, or is the zero address, which would burn it.
    error TransferFailed(address to, uint256 amount);

    /// @notice No such round was created.
    error UnknownRound(uint256 roundId);
    /// @notice A cap on bids is 0 or beyond 2^44 − 1 gwei.
    error InvalidCap(uint256 cap);
    /// @notice All three in wei.
    error BondOutOfRange(uint256 bond, uint256 minimum, uint256 maximum);
    /// @notice Both in wei.
    error StakeOutOfRange(uint256 stake, uint256 maximum);
    /// @notice Bond and stake are whole gwei.
    /// @param amount wei
    error NotWholeGwei(uint256 amount);
    /// @notice Not `minBps ≤ maxBps < 10,000`, or not 0 under Capability.
    error InvalidSurplusRange(uint256 minBps, uint256 maxBps);
    /// @notice Not 5,000 … 9,999.
    error InvalidThreshold(uint256 bps);
    /// @notice Not below 10,000.
    error InvalidTolerance(uint256 bps);
    /// @notice Not 1 … 64.
    error InvalidMaxModels(uint256 maxModels);
    /// @notice A round needs a membership list.
    error MembershipRootRequired();
    /// @notice Deadline `index` (0: join … 6: vote) leaves its phase too short.
    error InvalidDeadline(uint256 index, uint256 deadline, uint256 earliest);
    /// @notice The last deadline is more than 365 days ahead.
    error DeadlineTooFar(uint256 deadline, uint256 latest);

    /// @notice The call's phase opens at `opensAt` (or earlier, where it can open early).
    error PhaseNotOpen(uint256 roundId, uint256 opensAt);
    /// @notice The call's phase is over.
    error DeadlinePassed(uint256 roundId, uint256 deadline);
    /// @notice The round is not in the status that the call needs.
    error WrongStatus(uint256 roundId, Status actual, Status required);
    /// @notice The claimant is not drawn, or will never be.
    error NotDrawn(uint256 roundId);
    /// @notice There is one draw.
    error AlreadyDrawn(uint256 roundId);
    /// @notice Draw, training, report or vote are still to come.
    error SettlementNotOpen(uint256 roundId, Status status);

    /// @notice The account never joined the round, or is settled.
    error NotAMember(uint256 roundId, address account);
    /// @notice The caller has a role in the round.
    error AlreadyJoined(uint256 roundId, address account);
    /// @notice The call is the other side's, or the account is on the other.
    error WrongRole(address account, Role actual, Role required);
    /// @notice No points, or others than 1 where all weigh the same.
    error InvalidPoints(uint256 points);
    /// @notice The proof of this line and these terms do not open the round's door together: one of them is another round's.
    error NotAdmitted(address account, Role role, uint256 points, bytes32 termsHash);
    /// @notice The side counts no more members, or the escrow no more wei.
    error RoundFull(uint256 roundId);

    /// @notice One model an owner.
    error AlreadyProposed(address owner, uint256 model);
    /// @notice The round has all that it takes.
    error TooManyModels(uint256 maxModels);
    /// @notice Not 1 … 256.
    error InvalidGlobalRounds(uint256 globalRounds);

    /// @notice A commitment stands.
    error AlreadyCommitted(uint256 roundId, address account);
    /// @notice The account joined and has no commitment.
    error NotCommitted(uint256 roundId, address account);
    /// @notice The bids are open.
    error AlreadyRevealed(uint256 roundId, address account);
    /// @notice The claimant's bid stays sealed.
    error ClaimantStandsAside(uint256 roundId, address claimant);
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
    error NotTheWinner(address caller);
    /// @notice A base station that was silent does not train.
    error NotRevealed(uint256 roundId, address station);
    /// @notice Global rounds are recorded in order: `next` is due, or nothing any more if it is `globalRounds`.
    error WrongGlobalRound(uint256 globalRound, uint256 next, uint256 globalRounds);
    /// @notice Two lists that go together have different lengths.
    error LengthMismatch(uint256 first, uint256 second);
    /// @notice More than twice an equal part of 1,000,000 points.
    error ContributionTooLarge(address station, uint256 points, uint256 maximum);
    /// @notice Before the train deadline every base station that can must have recorded every global round.
    error UpdatesMissing(uint256 finished, uint256 required);
    /// @notice Above 10,000.
    error InvalidAccuracy(uint256 bps);
    /// @notice The opening is not of the digest that was proposed.
    error WrongProposalOpening(bytes32 digest, bytes32 proposed);

    /// @notice Electors are the committed owners but the winner.
    error NotAnElector(address account);
    /// @notice Once an elector.
    error AlreadyVoted(address account);
    /// @notice Only the claimant has a lot.
    error NotTheClaimant(uint256 roundId, address account);

    // ───────────────────────────────────────────── accounts ────────────────────────────────────────────

    /// @notice Wei of an account that no round holds.
    function freeBalance(address account) external view returns (uint256 amount);

    /// @notice Adds the value sent to the caller's free balance.
    function deposit() external payable;

    /// @notice Sends part of the caller's free balance to `to`, which is not 0.
    function withdraw(uint256 amount, address to) external;

    // ────────────────────────────────────────── create and join ────────────────────────────────────────

    /// @notice Creates a round. Anyone may.
    /// @param membershipRoot root of an OpenZeppelin standard Merkle tree over `(address account, uint8 role, uint32 points)`, not 0
    /// @return roundId the round's number, from 1
    function createRound(RoundTerms calldata terms, bytes32 membershipRoot) external returns (uint256 roundId);

    /// @notice Joins a round and locks the caller's funds, until the join deadline. What the lock needs beyond `msg.value` comes
    /// from the caller's free balance; what `msg.value` exceeds it by goes there.
    /// @param termsHash `termsHashOf(terms)` of the terms that the caller has read
    /// @param points the caller's points in the membership list; 1 unless it is an owner under Capability
    /// @param proof Merkle proof of `(caller, role, points)`
    function join(uint256 roundId, bytes32 termsHash, Role role, uint32 points, bytes32[] calldata proof)
        external
        payable;

    /// @notice Proposes the caller's model, until the join deadline. One each, owners only.
    /// @return model the model's index
    function propose(uint256 roundId, Proposal calldata proposal) external returns (uint256 model);

    // ────────────────────────────────────── commit, draw and reveal ────────────────────────────────────

    /// @notice Seals the caller's bids: `commitmentOf(roundId, caller, bids, salt)`. From the join to the commit deadline, once.
    /// @dev The contract keeps the top 182 bits: two openings of a commitment of one's own cost 2^91 tries, another's second 2^182.
    function commitBid(uint256 roundId, bytes32 commitment) external;

    /// @notice `join` and `commitBid` in one call, for who has not joined, from the join to the commit deadline.
    function joinAndCommit(
        uint256 roundId,
        bytes32 termsHash,
        Role role,
        uint32 points,
        bytes32[] calldata proof,
        bytes32 commitment
    ) external payable;

    /// @notice Draws θ and the claimant, once, or stores that the round cannot be held. Anyone may, from 60 seconds after the commit
    /// deadline to the middle between commit and reveal deadline; a round that is not drawn by then is cancelled.
    /// @dev The caller chooses the block, and a contract can call and revert until it likes the draw: draw in the first block of the
    /// window, and there is one to choose from.
    function drawClaimant(uint256 roundId) external;

    /// @notice Opens the caller's commitment, from the draw to the reveal deadline. The claimant's stays sealed.
    /// @param bids packed bids
    function revealBid(uint256 roundId, uint256[] calldata bids, bytes32 salt) external;

    // ────────────────────────────────────────────── select ─────────────────────────────────────────────

    /// @notice Selects the live model with the largest positive score `E = (n_B − 1) V − n_B K`, the lowest index on a tie; or finds
    /// that nothing is worth training; or cancels the round, where no base station has revealed. From the reveal deadline, or once
    /// all but the claimant have revealed, to the select deadline. Anyone may.
    function selectModel(uint256 roundId) external;

    // ─────────────────────────────────────────── train and report ──────────────────────────────────────

    /// @notice Records a global round: the digest of the global model and the Merkle root of the updates it averages. Winner only, until
    /// the train deadline, in order from 0. Moves no money.
    function recordGlobalRound(uint256 roundId, uint256 globalRound, bytes32 modelDigest, bytes32 updatesRoot) external;

    /// @notice Records the caller's update of a global round. Base stations that revealed, and the claimant, until the train deadline,
    /// in order from 0. A record is attendance: who got no global model in time records the digest 0.
    function recordUpdate(uint256 roundId, uint256 globalRound, bytes32 updateDigest) external;

    /// @notice Lists committed base stations with their contribution. Winner only, until the report, in as many calls as it needs;
    /// a later entry replaces an earlier one. They count if they add up to exactly 1,000,000 and the electors uphold them: then a
    /// base station gets back `n_B · stake · points / 1,000,000` instead of its stake, and one that is listed with 0 loses its bond.
    /// @param points each at most 2,000,000 / n_B
    function reportContributions(uint256 roundId, address[] calldata stations, uint32[] calldata points) external;

    /// @notice Reports the trained model and opens the claim made at proposal time; opens the vote. Winner only, until the report
    /// deadline, and before the train deadline only if all that can record have recorded every global round.
    /// @dev A claim beyond 10,000 is accepted, so that a careless proposal does not end in an abort; no accuracy can reach it.
    function reportResult(uint256 roundId, bytes32 modelDigest, Opening calldata opening) external;

    /// @notice Ends a round whose winner has not reported by the report deadline: as if it had reported and all had punished it, no
    /// list upheld. Anyone may.
    function abortTraining(uint256 roundId) external;

    // ─────────────────────────────────────────────── vote ──────────────────────────────────────────────

    /// @notice Votes about the winner and about the contributions that it listed. Committed owners but the winner, once, from the report
    /// to the vote deadline. The vote is for punishment exactly if `measuredAccuracyBps + toleranceBps < claimedAccuracyBps`.
    /// @param measuredAccuracyBps the accuracy that the caller measured, 1/10,000
    /// @param upholdContributions whether it finds the listed points right
    function vote(uint256 roundId, uint16 measuredAccuracyBps, bool upholdContributions) external;

    // ────────────────────────────────────────────── settle ─────────────────────────────────────────────

    /// @notice Releases a member's lock and moves its share, tax, reward, stake and slashed bond, for good. Anyone may, for anyone: from
    /// a cancellation, NothingSelected or an abort on; after a report once all electors have voted, else from the vote deadline. Who
    /// joined and never committed is released from the commit deadline on, a proposer among them once the round is drawn or cancelled.
    /// @param bids the member's packed bids, zeros if it never revealed. Always W words, though they are looked at only where shares
    /// or taxes follow from them
    function settle(uint256 roundId, address member, uint256[] calldata bids) external;

    /// @notice Settles many members; passes over who is none, or none any more.
    /// @param bids the members' packed bids one after the other, W words each
    function settleMany(uint256 roundId, address[] calldata members, uint256[] calldata bids) external;

    /// @notice Credits the claimant, who calls, what has come in of the lot since it called last: the taxes of all who are settled.
    function claimLot(uint256 roundId) external;

    // ─────────────────────────────────────────────── views ─────────────────────────────────────────────

    /// @notice Number of rounds created; the newest round's number.
    function roundCount() external view returns (uint256);

    /// @notice A round's state now. Reverts with UnknownRound; views without such a word return zeros for what does not exist.
    function roundOf(uint256 roundId) external view returns (RoundView memory);

    /// @notice A round's terms, and its door; the membership root is in RoundCreated. Reverts with UnknownRound.
    function termsOf(uint256 roundId) external view returns (RoundTerms memory terms, bytes32 door);

    /// @notice A proposed model.
    function modelOf(uint256 roundId, uint256 model) external view returns (Model memory);

    /// @notice A member of a round.
    function memberOf(uint256 roundId, address account) external view returns (MemberView memory);

    /// @notice A round's sums over the revealed bids, gwei: `V^m` and `K^m`.
    function sumsOf(uint256 roundId) external view returns (uint256[] memory values, uint256[] memory costs);

    /// @notice The lock of a member with that role and those points, wei: `maxOwnerBid · (1 + points) + bond` for an owner,
    /// `maxStationBid + bond + contributionStake` for a base station.
    function lockOf(uint256 roundId, Role role, uint32 points) external view returns (uint256);

    /// @notice The most that a truthful member can lose that does all its duties, wei: its lock less the bond. A verdict against it (a
    /// base station's zero upheld, a winner punished) costs the bond as well, so all of `lockOf`.
    function worstLossOf(uint256 roundId, Role role, uint32 points) external view returns (uint256);

    /// @notice What `claimLot` would pay the claimant now, wei.
    function lotOf(uint256 roundId) external view returns (uint256);

    /// @notice `keccak256(abi.encode(terms))`: what one joins with.
    function termsHashOf(RoundTerms calldata terms) external pure returns (bytes32);

    /// @notice `keccak256(abi.encode(membershipRoot, termsHash))`: what `termsOf` must return beside the terms.
    function doorOf(bytes32 membershipRoot, bytes32 termsHash) external pure returns (bytes32);

    /// @notice `keccak256(abi.encode(block.chainid, address(this), roundId, member, bids, salt))`.
    function commitmentOf(uint256 roundId, address member, uint256[] calldata bids, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice `keccak256(abi.encode(block.chainid, address(this), roundId, proposer, claimedAccuracyBps, targetsDigest, salt))`.
    function ownersDigestOf(uint256 roundId, address proposer, Opening calldata opening) external view returns (bytes32);
}
