// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HCFL} from "../../HCFL.sol";
import {IHCFL, Phase, Policy, Role, Stage, Status} from "../../interfaces/IHCFL.sol";
import {Actor, ReenteringActor, RefusingActor} from "./Actors.t.sol";
import {Books} from "./Books.t.sol";
import {vm} from "./Vm.t.sol";

/// @notice The calls of a member.
enum Move {
    Join,
    Propose,
    Commit,
    JoinAndCommit,
    Draw,
    Reveal,
    Select,
    RecordGlobal,
    RecordUpdate,
    Contribute,
    Report,
    Abort,
    Vote,
    Settle,
    SettleMany,
    Claim
}

/// @title Eight members, what they have bid, and every call with arguments that fit its round
contract Moves is Books {
    uint256 internal constant ACTORS = 8;
    uint256 internal constant DEPTH = 4; // of the membership tree: two leaves an actor
    uint256 internal constant LARGEST_CAP = 2 ** 44 - 1;
    uint256 internal constant FUNDS = 2 ** 120; // wei, above any lock
    uint16 internal constant GLOBAL_ROUNDS = 2;
    uint256 internal constant MODELS = 3;

    Actor[ACTORS] public actors;
    mapping(uint256 roundId => IHCFL.RoundTerms) internal _terms;
    /// @dev Packed bids, one word: at most three models.
    mapping(uint256 roundId => mapping(address account => uint256)) internal _bids;

    constructor(HCFL market) Books(market) {
        for (uint256 i; i < ACTORS; ++i) {
            if (i == 1) actors[i] = new ReenteringActor(market);
            else if (i == 2) actors[i] = new RefusingActor(market);
            else actors[i] = new Actor(market);
            vm.deal(address(actors[i]), FUNDS);
        }
    }

    /// @dev Random terms: both policies, small and largest caps and stakes, any θ. The reveal phase is 300 s, each other 100 s.
    function _drawTerms(uint256 x) internal view returns (IHCFL.RoundTerms memory t) {
        uint64[4] memory caps = [1, 3, 100, uint64(LARGEST_CAP)];
        (t.maxOwnerBid, t.maxStationBid) = (caps[x & 3], caps[(x >> 2) & 3]);
        t.ownerPolicy = Policy((x >> 4) & 1);
        t.bond = (t.maxStationBid + (x >> 5) % 3) * 1 gwei;
        t.contributionStake = [uint256(0), 1, 7, LARGEST_CAP][(x >> 7) & 3] * 1 gwei;
        if (t.ownerPolicy == Policy.Equal) {
            t.surplusMaxBps = uint16((x >> 9) % 10_000);
            t.surplusMinBps = uint16((x >> 23) % (t.surplusMaxBps + 1));
        }
        t.thresholdBps = uint16(5_000 + (x >> 37) % 5_000);
        t.toleranceBps = uint16((x >> 51) % 10_000);
        t.maxModels = uint8(1 + (x >> 65) % MODELS);
        uint40 now_ = uint40(block.timestamp);
        t.deadlines =
            IHCFL.Deadlines(now_ + 100, now_ + 200, now_ + 500, now_ + 600, now_ + 700, now_ + 800, now_ + 900);
    }

    /// @dev Of a list of all actors in both roles.
    function _root(IHCFL.RoundTerms memory t) internal view returns (bytes32) {
        return _levels(t)[DEPTH][0];
    }

    /// @dev One point, of an owner under Capability between 1 and the most there can be.
    function _points(IHCFL.RoundTerms memory t, Role role, uint256 i) internal pure returns (uint32) {
        if (role == Role.BaseStation || t.ownerPolicy != Policy.Capability) return 1;
        return i == 0 ? type(uint32).max : uint32(i);
    }

    /// @dev The membership tree: leaf 2 i + role is actor i in that role.
    function _levels(IHCFL.RoundTerms memory t) private view returns (bytes32[][] memory levels) {
        levels = new bytes32[][](DEPTH + 1);
        levels[0] = new bytes32[](2 * ACTORS);
        for (uint256 i; i < 2 * ACTORS; ++i) {
            Role role = Role(i & 1);
            bytes32 inner = keccak256(abi.encode(address(actors[i / 2]), role, _points(t, role, i / 2)));
            levels[0][i] = keccak256(bytes.concat(inner));
        }
        for (uint256 d = 1; d <= DEPTH; ++d) {
            levels[d] = new bytes32[](levels[d - 1].length / 2);
            for (uint256 i; i < levels[d].length; ++i) {
                (bytes32 a, bytes32 b) = (levels[d - 1][2 * i], levels[d - 1][2 * i + 1]);
                levels[d][i] = a < b ? keccak256(bytes.concat(a, b)) : keccak256(bytes.concat(b, a));
            }
        }
    }

    function _proof(IHCFL.RoundTerms memory t, Role role, uint256 i) private view returns (bytes32[] memory proof) {
        bytes32[][] memory levels = _levels(t);
        proof = new bytes32[](DEPTH);
        uint256 leaf = 2 * i + uint256(role);
        for (uint256 d; d < DEPTH; ++d) {
            proof[d] = levels[d][leaf ^ 1];
            leaf >>= 1;
        }
    }

    /// @dev The call that actor i would make, and the ether it would send. `x` decides what is left open.
    function _call(Move move, uint256 r, uint256 i, uint256 x) internal returns (uint256 value, bytes memory data) {
        if (move == Move.Join || move == Move.JoinAndCommit) return _joinCall(move, r, i, x);
        if (move == Move.Propose) data = _proposeCall(r, i);
        if (move == Move.Commit) data = abi.encodeCall(_market.commitBid, (r, _seal(r, i, x)));
        if (move == Move.Draw) data = _drawCall(r, x);
        if (move == Move.Reveal) data = abi.encodeCall(_market.revealBid, (r, _one(_bids[r][_at(i)]), bytes32(r)));
        if (move == Move.Select) data = abi.encodeCall(_market.selectModel, (r));
        if (move == Move.RecordGlobal) data = abi.encodeCall(_market.recordGlobalRound, (r, _next(r, i, x), 0, 0));
        if (move == Move.RecordUpdate) data = abi.encodeCall(_market.recordUpdate, (r, _next(r, i, x), 0));
        if (move == Move.Contribute) data = _contributeCall(r, x);
        if (move == Move.Report) data = abi.encodeCall(_market.reportResult, (r, 0, _opening()));
        if (move == Move.Abort) data = abi.encodeCall(_market.abortTraining, (r));
        if (move == Move.Vote) data = abi.encodeCall(_market.vote, (r, x & 1 == 1 ? 0 : 9_000, x & 6 != 0));
        if (move == Move.Settle) data = abi.encodeCall(_market.settle, (r, _at(x), _one(_shown(r, _at(x)))));
        if (move == Move.SettleMany) data = _settleManyCall(r, x);
        if (move == Move.Claim) data = abi.encodeCall(_market.claimLot, (r));
    }

    function _at(uint256 i) internal view returns (address) {
        return address(actors[i % ACTORS]);
    }

    function _winner(uint256 r) internal view returns (address) {
        return _market.modelOf(r, _market.roundOf(r).selected).proposer;
    }

    /// @dev The bids that settle a member: what it revealed, or zeros.
    function _shown(uint256 r, address account) internal view returns (uint256) {
        return _market.memberOf(r, account).stage == Stage.Revealed ? _bids[r][account] : 0;
    }

    /// @dev At times there is no randomness but a difficulty.
    function _drawCall(uint256 r, uint256 x) private returns (bytes memory) {
        vm.prevrandao(x % 4 == 0 ? bytes32(x % 2 ** 64) : keccak256(abi.encode(x)));
        return abi.encodeCall(_market.drawClaimant, (r));
    }

    /// @dev The global round that an actor has to record, seldom another.
    function _next(uint256 r, uint256 i, uint256 x) private view returns (uint256) {
        return x % 16 == 0 ? (x >> 4) % (GLOBAL_ROUNDS + 1) : _market.memberOf(r, _at(i)).recorded;
    }

    /// @dev Seldom on the side that is not its own: even actors are owners.
    function _joinCall(Move move, uint256 r, uint256 i, uint256 x) private returns (uint256 value, bytes memory data) {
        Role role = Role((i + (x % 16 == 0 ? 1 : 0)) & 1);
        IHCFL.RoundTerms memory t = _terms[r];
        uint32 points = _points(t, role, i);
        uint256 lock = _market.lockOf(r, role, points);
        uint256 free = _market.freeBalance(_at(i));
        value = (x >> 4) & 1 == 0 ? lock + (x >> 5) % 3 : free < lock ? lock - free : 0;
        bytes32[] memory proof = _proof(t, role, i);
        bytes32 termsHash = _market.termsHashOf(t);
        data = move == Move.Join
            ? abi.encodeCall(_market.join, (r, termsHash, role, points, proof))
            : abi.encodeCall(_market.joinAndCommit, (r, termsHash, role, points, proof, _seal(r, i, x)));
    }

    function _proposeCall(uint256 r, uint256 i) private view returns (bytes memory) {
        bytes32 digest = _market.ownersDigestOf(r, _at(i), _opening());
        return abi.encodeCall(_market.propose, (r, IHCFL.Proposal(digest, 0, GLOBAL_ROUNDS)));
    }

    /// @dev Draws bids within the caps unless it has bid before, and seals them.
    function _seal(uint256 r, uint256 i, uint256 x) private returns (bytes32) {
        address account = _at(i);
        if (_market.memberOf(r, account).stage <= Stage.Joined) {
            uint256 cap = i & 1 == 0 ? _terms[r].maxOwnerBid : _terms[r].maxStationBid;
            uint256 word;
            for (uint256 m; m < _market.roundOf(r).modelCount; ++m) {
                uint256 bid = uint256(keccak256(abi.encode(x, m))) % (cap + 1);
                // Costs are mostly below values, so that something is worth training.
                word |= (i & 1 == 0 ? bid : bid / (1 + x % 4)) << (64 * (m + 1));
            }
            _bids[r][account] = word;
        }
        return _market.commitmentOf(r, account, _one(_bids[r][account]), bytes32(r));
    }

    /// @dev Every committed base station with the same points, the rest to the first; at times one of them with 0, one left out, or
    /// a point too few.
    function _contributeCall(uint256 r, uint256 x) private view returns (bytes memory) {
        (address[] memory stations, uint256 count) = (new address[](ACTORS), 0);
        for (uint256 i; i < ACTORS; ++i) {
            IHCFL.MemberView memory member = _market.memberOf(r, _at(i));
            if (member.role == Role.BaseStation && member.stage > Stage.Joined) stations[count++] = _at(i);
        }
        // stations.length = count.
        assembly ("memory-safe") {
            mstore(stations, count)
        }
        uint32[] memory points = new uint32[](count);
        for (uint256 i; i < count; ++i) {
            points[i] = uint32(1_000_000 / count + (i == 0 ? 1_000_000 % count : 0));
        }
        if (count > 2 && x % 4 == 0) (points[1], points[2]) = (points[1] + points[2], 0);
        if (count > 2 && x % 8 == 1) --points[0];
        if (count > 2 && x % 8 == 4) {
            // stations.length = points.length = 2: the first two, who now have less than all points.
            assembly ("memory-safe") {
                mstore(stations, 2)
                mstore(points, 2)
            }
            (points[0], points[1]) = (500_000, 500_000);
        }
        return abi.encodeCall(_market.reportContributions, (r, stations, points));
    }

    /// @dev All members, from the x-th on.
    function _settleManyCall(uint256 r, uint256 x) internal view returns (bytes memory) {
        (address[] memory members, uint256[] memory words) = (new address[](ACTORS), new uint256[](ACTORS));
        uint256 count;
        for (uint256 i; i < ACTORS; ++i) {
            address account = _at((x % ACTORS) + i);
            if (_market.memberOf(r, account).stage == Stage.None) continue;
            words[count] = _shown(r, account);
            members[count++] = account;
        }
        // members.length = words.length = count.
        assembly ("memory-safe") {
            mstore(members, count)
            mstore(words, count)
        }
        return abi.encodeCall(_market.settleMany, (r, members, words));
    }

    function _opening() private pure returns (IHCFL.Opening memory) {
        return IHCFL.Opening(9_000, bytes32("targets"), bytes32("salt"));
    }

    function _one(uint256 word) private pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = word;
    }
}
