// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title What HCFL is measured against
/// @notice The same round and the same money, to the wei, written as one would write it first: a reveal stores the bids, the
/// selection adds them all up, and one call settles everybody. Equal policy, no abort, no stakes; no phase ends early.
/// @dev Written with care, so that the comparison is fair: bids are `uint64[]`, which Solidity packs four to a slot, structs pack,
/// sums are worked out once a call and not once a member. Not for use: beyond some hundred members a round can no longer be settled
/// (`analysis/benchmarks/contract` measures where).
contract NaiveCrowdfunding {
    enum Role {
        Owner,
        BaseStation
    }

    enum Phase {
        Join,
        Commit,
        Reveal,
        Select,
        Train,
        Vote
    }

    enum Status {
        None,
        Open,
        Drawn,
        NothingTrained,
        Training,
        Reported,
        Settled
    }

    /// @param maxOwnerBid, maxStationBid gwei; bond wei; `deadlines` unix times by phase, strictly increasing
    struct Terms {
        uint64 maxOwnerBid;
        uint64 maxStationBid;
        uint96 bond;
        uint16 surplusMinBps;
        uint16 surplusMaxBps;
        uint16 thresholdBps;
        uint16 toleranceBps;
        uint8 maxModels;
        bytes32 membershipRoot;
        uint40[6] deadlines;
    }

    struct Model {
        address proposer;
        uint16 globalRounds;
        bytes32 ownersDigest;
        bytes32 stationsDigest;
    }

    struct Member {
        Role role;
        bool joined;
        bool proposed;
        bool committed;
        bool revealed;
        bool voted;
        uint8 model;
        uint16 recorded;
        uint32 ordinal;
        bytes32 commitment;
        uint64[] bids;
    }

    struct Round {
        Terms terms;
        Status status;
        uint8 selected;
        uint16 claimedBps;
        uint32 claimant;
        uint32 recorders;
        uint32 votesPunish;
        uint64 theta;
        uint32[2] committed;
        Model[] models;
        address[] accounts;
        mapping(address account => Member) members;
    }

    /// @dev What is the same for all members. Values and costs are V and K by model, wei.
    struct Facts {
        uint256 owners;
        uint256 stations;
        bool drawn;
        bool taxed;
        bool trained;
        bool punished;
        bool answered;
        uint256[] values;
        uint256[] costs;
    }

    /// @dev What is collected from a member and paid to it, wei.
    struct Dues {
        uint256 share;
        uint256 tax;
        uint256 slashed;
        uint256 reward;
        uint256 forfeited;
    }

    uint256 private constant Q = 2 ** 64;

    uint256 public roundCount;
    mapping(address account => uint256 amount) public freeBalance;
    mapping(uint256 roundId => Round) private _rounds;

    event RoundCreated(uint256 indexed roundId, address indexed creator, Terms terms);
    event Joined(uint256 indexed roundId, address indexed member, Role role, uint256 value);
    event ModelProposed(uint256 indexed roundId, address indexed proposer, uint256 model);
    event BidCommitted(uint256 indexed roundId, address indexed member, bytes32 commitment);
    event ClaimantDrawn(uint256 indexed roundId, uint64 theta, uint256 ordinal);
    event BidRevealed(uint256 indexed roundId, address indexed member, uint64[] bids);
    event ModelSelected(uint256 indexed roundId, uint256 model, uint256 score);
    event NothingSelected(uint256 indexed roundId);
    event GlobalRoundRecorded(uint256 indexed roundId, uint256 globalRound, bytes32 modelDigest, bytes32 updatesRoot);
    event UpdateRecorded(uint256 indexed roundId, address indexed station, uint256 globalRound, bytes32 updateDigest);
    event ResultReported(uint256 indexed roundId, bytes32 modelDigest, uint16 claimedBps);
    event Voted(uint256 indexed roundId, address indexed elector, uint16 measuredBps);
    event MemberSettled(
        uint256 indexed roundId,
        address indexed member,
        uint256 share,
        uint256 tax,
        uint256 slashed,
        uint256 reward,
        uint256 forfeited
    );
    event LotPaid(uint256 indexed roundId, address indexed claimant, uint256 amount);

    /// @notice The call is not for now, or not for the caller, or says something wrong.
    error Refused();

    function _require(bool condition) private pure {
        if (!condition) revert Refused();
    }

    function _requirePhase(Round storage round, Phase phase) private view {
        uint256 i = uint256(phase);
        uint40[6] storage deadlines = round.terms.deadlines;
        _require(block.timestamp < deadlines[i] && (i == 0 || block.timestamp >= deadlines[i - 1]));
    }

    // ───────────────────────────────────── create, join and propose ────────────────────────────────────

    function createRound(Terms calldata terms) external returns (uint256 roundId) {
        _require(terms.bond >= uint256(terms.maxStationBid) * 1 gwei && terms.membershipRoot != 0);
        _require(terms.surplusMinBps <= terms.surplusMaxBps && terms.surplusMaxBps < 10_000);
        uint256 before = block.timestamp;
        for (uint256 i; i < 6; ++i) {
            _require(terms.deadlines[i] > before);
            before = terms.deadlines[i];
        }
        roundId = ++roundCount;
        Round storage round = _rounds[roundId];
        round.terms = terms;
        round.status = Status.Open;
        emit RoundCreated(roundId, msg.sender, terms);
    }

    function join(uint256 roundId, Role role, bytes32[] calldata proof) external payable {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Join);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(msg.sender, role, uint32(1)))));
        _require(!member.joined && MerkleProof.verifyCalldata(proof, round.terms.membershipRoot, leaf));
        _require(msg.value == _lockOf(round, role));
        member.joined = true;
        member.role = role;
        round.accounts.push(msg.sender);
        emit Joined(roundId, msg.sender, role, msg.value);
    }

    function propose(uint256 roundId, bytes32 ownersDigest, bytes32 stationsDigest, uint16 globalRounds) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Join);
        _require(member.joined && member.role == Role.Owner && !member.proposed);
        uint256 model = round.models.length;
        _require(model < round.terms.maxModels && globalRounds != 0 && globalRounds <= 256);
        member.proposed = true;
        member.model = uint8(model);
        round.models.push(Model(msg.sender, globalRounds, ownersDigest, stationsDigest));
        emit ModelProposed(roundId, msg.sender, model);
    }

    // ────────────────────────────────────── commit, draw and reveal ────────────────────────────────────

    function commitBid(uint256 roundId, bytes32 commitment) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Commit);
        _require(member.joined && !member.committed);
        member.committed = true;
        member.ordinal = ++round.committed[uint256(member.role)];
        member.commitment = commitment;
        emit BidCommitted(roundId, msg.sender, commitment);
    }

    /// @notice A committed member's number on its side, from 1.
    function ordinalOf(uint256 roundId, address account) external view returns (uint256) {
        return _rounds[roundId].members[account].ordinal;
    }

    /// @dev A round that cannot be held is never drawn.
    function drawClaimant(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        _requirePhase(round, Phase.Reveal);
        _require(block.timestamp >= round.terms.deadlines[uint256(Phase.Commit)] + 60 && round.status == Status.Open);
        (uint32 owners, uint32 stations) = (round.committed[0], round.committed[1]);
        bool live;
        for (uint256 m; m < round.models.length && !live; ++m) {
            live = round.members[round.models[m].proposer].committed;
        }
        _require(owners >= 2 && stations >= 3 && live);
        uint256 drawn = uint256(keccak256(abi.encode(block.prevrandao, roundId)));
        (uint256 lo, uint256 hi) = (round.terms.surplusMinBps, round.terms.surplusMaxBps);
        round.theta = uint64((lo * Q + (hi - lo) * uint64(drawn)) / 10_000);
        round.claimant = uint32(uint96(drawn >> 64) % stations) + 1;
        round.status = Status.Drawn;
        emit ClaimantDrawn(roundId, round.theta, round.claimant);
    }

    function revealBid(uint256 roundId, uint64[] calldata bids, bytes32 salt) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Reveal);
        _require(round.status == Status.Drawn && !_isClaimant(round, member));
        _require(member.committed && !member.revealed && bids.length == round.models.length);
        uint256 cap = member.role == Role.Owner ? round.terms.maxOwnerBid : round.terms.maxStationBid;
        for (uint256 m; m < bids.length; ++m) {
            _require(bids[m] <= cap);
        }
        bytes32 digest = keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, bids, salt));
        _require(digest == member.commitment);
        member.revealed = true;
        member.bids = bids;
        emit BidRevealed(roundId, msg.sender, bids);
    }

    // ────────────────────────────────────────────── select ─────────────────────────────────────────────

    function selectModel(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        _requirePhase(round, Phase.Select);
        _require(round.status == Status.Drawn);
        Facts memory c;
        _readBids(round, c);
        _require(c.answered); // else the round ends unselected
        (uint256 selected, int256 best) = (0, 0);
        for (uint256 m; m < c.values.length; ++m) {
            int256 score = _score(c, m);
            if (round.members[round.models[m].proposer].committed && score > best) (selected, best) = (m, score);
        }
        if (best == 0) {
            round.status = Status.NothingTrained;
            emit NothingSelected(roundId);
        } else {
            round.status = Status.Training;
            round.selected = uint8(selected);
            emit ModelSelected(roundId, selected, uint256(best));
        }
    }

    // ─────────────────────────────────────── train, report and vote ────────────────────────────────────

    function recordGlobalRound(uint256 roundId, uint256 globalRound, bytes32 modelDigest, bytes32 updatesRoot)
        external
    {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Train);
        _require(round.status == Status.Training && _isWinner(round, member));
        _record(round, member, globalRound);
        emit GlobalRoundRecorded(roundId, globalRound, modelDigest, updatesRoot);
    }

    function recordUpdate(uint256 roundId, uint256 globalRound, bytes32 updateDigest) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Train);
        _require(round.status == Status.Training && member.role == Role.BaseStation);
        _require(member.revealed || _isClaimant(round, member));
        if (globalRound == 0) ++round.recorders;
        _record(round, member, globalRound);
        emit UpdateRecorded(roundId, msg.sender, globalRound, updateDigest);
    }

    function reportResult(uint256 roundId, bytes32 modelDigest, uint16 claimedBps, bytes32 targetsDigest, bytes32 salt)
        external
    {
        Round storage round = _rounds[roundId];
        _requirePhase(round, Phase.Vote);
        _require(round.status == Status.Training && _isWinner(round, round.members[msg.sender]));
        bytes32 digest =
            keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, claimedBps, targetsDigest, salt));
        _require(digest == round.models[round.selected].ownersDigest);
        round.status = Status.Reported;
        round.claimedBps = claimedBps;
        emit ResultReported(roundId, modelDigest, claimedBps);
    }

    function vote(uint256 roundId, uint16 measuredBps) external {
        Round storage round = _rounds[roundId];
        Member storage member = round.members[msg.sender];
        _requirePhase(round, Phase.Vote);
        _require(round.status == Status.Reported && member.committed && member.role == Role.Owner && !member.voted);
        _require(!_isWinner(round, member) && measuredBps <= 10_000);
        member.voted = true;
        if (measuredBps + round.terms.toleranceBps < round.claimedBps) ++round.votesPunish;
        emit Voted(roundId, msg.sender, measuredBps);
    }

    // ────────────────────────────────────────────── settle ─────────────────────────────────────────────

    /// @notice Settles everybody, from the vote deadline on.
    function settle(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        uint256 end = round.terms.deadlines[uint256(Phase.Vote)];
        _require(block.timestamp >= end && round.status != Status.Training && round.status != Status.Settled);
        Facts memory c;
        c.drawn = round.claimant != 0;
        c.trained = round.status == Status.Reported;
        c.taxed = round.status == Status.NothingTrained || round.recorders != 0;
        if (c.trained) {
            c.punished =
                uint256(round.votesPunish) * 10_000 > uint256(round.terms.thresholdBps) * (round.committed[0] - 1);
        }
        _readBids(round, c);
        (uint256 lot, address claimant) = (0, address(0));
        for (uint256 i; i < round.accounts.length; ++i) {
            address account = round.accounts[i];
            Member storage member = round.members[account];
            if (_isClaimant(round, member)) claimant = account;
            Dues memory d = _duesOf(round, c, member);
            lot += d.tax;
            freeBalance[account] += _lockOf(round, member.role) + d.reward - d.share - d.slashed - d.tax;
            emit MemberSettled(roundId, account, d.share, d.tax, d.slashed, d.reward, d.forfeited);
        }
        freeBalance[claimant] += lot;
        emit LotPaid(roundId, claimant, lot);
        round.status = Status.Settled;
    }

    function withdraw(uint256 amount) external {
        freeBalance[msg.sender] -= amount;
        (bool sent,) = msg.sender.call{value: amount}("");
        _require(sent);
    }

    // ────────────────────────────────── what the calls above are made of ───────────────────────────────

    function _lockOf(Round storage round, Role role) private view returns (uint256) {
        uint256 most = role == Role.Owner ? 2 * uint256(round.terms.maxOwnerBid) : round.terms.maxStationBid;
        return most * 1 gwei + round.terms.bond;
    }

    function _isClaimant(Round storage round, Member storage member) private view returns (bool) {
        return member.role == Role.BaseStation && member.ordinal != 0 && member.ordinal == round.claimant;
    }

    function _isWinner(Round storage round, Member storage member) private view returns (bool) {
        return member.proposed && member.model == round.selected;
    }

    /// @dev Global rounds are recorded in order.
    function _record(Round storage round, Member storage member, uint256 globalRound) private {
        _require(globalRound == member.recorded && globalRound < round.models[round.selected].globalRounds);
        ++member.recorded;
    }

    function _readBids(Round storage round, Facts memory c) private view {
        (c.owners, c.stations) = (round.committed[0], round.committed[1]);
        c.values = new uint256[](round.models.length);
        c.costs = new uint256[](round.models.length);
        for (uint256 i; i < round.accounts.length; ++i) {
            Member storage member = round.members[round.accounts[i]];
            if (!member.revealed) continue;
            if (member.role == Role.BaseStation) c.answered = true;
            uint64[] memory bids = member.bids;
            uint256[] memory sums = member.role == Role.Owner ? c.values : c.costs;
            for (uint256 m; m < bids.length; ++m) {
                sums[m] += bids[m] * uint256(1 gwei);
            }
        }
    }

    /// @dev E = (n_B − 1) V − n_B K, wei.
    function _score(Facts memory c, uint256 m) private pure returns (int256) {
        return int256((c.stations - 1) * c.values[m]) - int256(c.stations * c.costs[m]);
    }

    /// @dev What a member owes and is owed. Collected from lock and reward, in this order: share, slashed bond, tax.
    function _duesOf(Round storage round, Facts memory c, Member storage member) private view returns (Dues memory d) {
        uint256 bond = round.terms.bond;
        if (!member.committed) {
            if (c.drawn && member.proposed) d.slashed = bond;
            return d;
        }
        if (c.drawn && !member.revealed && !_isClaimant(round, member)) d.slashed = bond;
        uint256 share;
        if (c.taxed) (share, d.tax) = _shareAndTax(round, c, member);
        if (member.role == Role.Owner) {
            if (c.trained) d.share = share;
            if (c.punished && _isWinner(round, member)) d.slashed = bond;
        } else if (c.trained) {
            uint256 all = round.models[round.selected].globalRounds;
            d.reward = share * member.recorded / all;
            d.forfeited = share - d.reward;
            if (member.recorded < all) d.slashed = Math.ceilDiv(bond * (all - member.recorded), all);
        }
        uint256 left = _lockOf(round, member.role) + d.reward;
        d.share = Math.min(d.share, left);
        left -= d.share;
        d.slashed = Math.min(d.slashed, left);
        left -= d.slashed;
        d.tax = Math.min(d.tax, left);
    }

    /// @dev A member's share at the selected model and its Clarke tax, wei: `analysis/mechanism.md`.
    function _shareAndTax(Round storage round, Facts memory c, Member storage member)
        private
        view
        returns (uint256 shareAtSelected, uint256 tax)
    {
        bool claimant = _isClaimant(round, member);
        uint64[] memory bids = member.bids; // none if it was silent
        uint256 weight = member.role == Role.Owner ? c.stations - 1 : c.stations;
        (int256 best, int256 atSelected) = (0, 0);
        for (uint256 m; m < c.values.length; ++m) {
            if (!round.members[round.models[m].proposer].committed) continue;
            uint256 claim = bids.length == 0 ? 0 : bids[m] * uint256(1 gwei);
            uint256 share = _share(c, round.theta, m, claim, member.role, claimant);
            if (member.role == Role.Owner) share = Math.min(share, round.terms.maxOwnerBid * uint256(1 gwei));
            int256 gain = int256(weight) * (int256(claim) - int256(share));
            int256 others = _score(c, m) + (member.role == Role.Owner ? -gain : gain);
            if (others > best) best = others;
            if (c.trained && m == round.selected) (shareAtSelected, atSelected) = (share, others);
        }
        tax = claimant ? 0 : Math.ceilDiv(uint256(best - atSelected), weight);
    }

    /// @dev Of V and K without the own claim; the owner's is rounded up.
    function _share(Facts memory c, uint256 t, uint256 m, uint256 claim, Role role, bool claimant)
        private
        pure
        returns (uint256)
    {
        (uint256 n, uint256 b, uint256 value, uint256 cost) = (c.owners, c.stations, c.values[m], c.costs[m]);
        if (role == Role.Owner) {
            uint256 shared = (Q - t) * b * (n - 1) * cost + t * n * (b - 1) * (value - claim);
            return Math.ceilDiv(shared, Q * n * (n - 1) * (b - 1));
        }
        if (claimant) return ((Q - t) * b * cost + t * (b - 1) * value) / (Q * b * (b - 1));
        return ((Q - t) * b * (cost - claim) + t * (b - 2) * value) / (Q * b * (b - 2));
    }
}
