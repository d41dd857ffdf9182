// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HCFL} from "../../HCFL.sol";
import {IHCFL, Phase, Role, Stage, Status} from "../../interfaces/IHCFL.sol";
import {ReenteringActor} from "./Actors.t.sol";
import {Move, Moves} from "./Moves.t.sol";
import {vm} from "./Vm.t.sol";

/// @title What forge calls at random: each function lets members act and then looks at what has become of the rounds
contract Handler is Moves {
    uint256 private constant ROUNDS = 6;

    /// @notice How often each move was tried, and succeeded.
    mapping(Move => uint256) public tried;
    mapping(Move => uint256) public done;
    /// @notice Withdrawals that succeeded, and those of the actor that refuses ether, which fail.
    uint256 public withdrawn;
    uint256 public refused;
    /// @notice How many rounds have come to each status.
    mapping(Status => uint256) public came;
    /// @notice Whether a member's stage or side, or a round's status or phase has ever gone back, or a term changed.
    bool public wentBack;
    /// @notice Whether a round's sums were ever others than those of the bids that were revealed.
    bool public misadded;

    mapping(uint256 roundId => mapping(address account => IHCFL.MemberView)) private _members;
    mapping(uint256 roundId => uint256[MODELS][2]) private _sums;
    mapping(uint256 roundId => bytes32) private _doors;
    mapping(uint256 roundId => Phase) private _phases;
    mapping(uint256 roundId => Status) private _statuses;

    constructor(HCFL market) Moves(market) {
        vm.recordLogs();
    }

    /// @dev The round is looked at after the calls; the first is there before any.
    modifier observed(uint256 round) {
        if (_market.roundCount() == 0) _create(round);
        _;
        _look(_round(round));
    }

    // ─────────────────────────────────────── what forge calls ──────────────────────────────────────────

    /// @notice A round once the newest is settled, at times sooner, so that most come far and some run side by side.
    function create(uint256 x) external {
        uint256 rounds = _market.roundCount();
        bool sooner = rounds == 0 || x % 8 == 0;
        if (rounds < ROUNDS && (sooner || _market.roundOf(rounds).phase == Phase.Settle)) _create(x >> 3);
    }

    /// @notice Every member but those in `away` does what its round's phase asks of it.
    function everybody(uint256 round, uint256 x, uint8 away) external observed(round) {
        for (uint256 i; i < ACTORS; ++i) {
            if ((away >> i) & 1 == 0) _step(_round(round), i, uint256(keccak256(abi.encode(x, i))));
        }
    }

    /// @notice The same and then its phase ends, so that rounds come far.
    function everybodyAndOn(uint256 round, uint256 x, uint8 away) external observed(round) {
        uint256 r = _round(round);
        for (uint256 i; i < ACTORS; ++i) {
            if ((away >> i) & 1 == 0 || x & 1 == 1) _step(r, i, uint256(keccak256(abi.encode(x, i))));
        }
        _wait(r, x);
    }

    function one(uint256 round, uint256 i, uint256 x) external observed(round) {
        _step(_round(round), i % ACTORS, x);
    }

    /// @notice Any call at any time.
    function anything(uint256 round, uint256 i, uint256 move, uint256 x) external observed(round) {
        _make(Move(move % (uint256(type(Move).max) + 1)), _round(round), i % ACTORS, x);
    }

    function wait(uint256 round, uint256 x) external observed(round) {
        _wait(_round(round), x);
    }

    function deposit(uint256 i, uint256 amount) external {
        _act(i, amount % 1 ether, abi.encodeCall(_market.deposit, ()));
    }

    /// @notice Part or all of what is free, now and then more.
    function withdraw(uint256 i, uint256 x) external {
        uint256 free = _market.freeBalance(_at(i));
        _withdraw(i, x % 4 == 0 ? free : x % 4 == 1 ? free + 1 : x % (free + 1));
    }

    /// @notice Ends every round by calls that are open to anybody, lets members claim, and all but the refusing one withdraw.
    function finish() external {
        for (uint256 r = 1; r <= _market.roundCount(); ++r) {
            for (uint256 p; p < 9; ++p) {
                Phase phase = _market.roundOf(r).phase;
                if (phase == Phase.Settle) break;
                if (phase == Phase.Select) {
                    _make(Move.Select, r, 0, 0);
                } else if (phase == Phase.Report && block.timestamp >= _terms[r].deadlines.report) {
                    _make(Move.Abort, r, 0, 0);
                } else {
                    _wait(r, 1);
                }
            }
            _make(Move.SettleMany, r, 0, 0);
            for (uint256 i; i < ACTORS; ++i) {
                if (_market.memberOf(r, _at(i)).claimant) _make(Move.Claim, r, i, 0);
            }
            _look(r);
        }
        ReenteringActor(payable(_at(1))).rest();
        for (uint256 i; i < ACTORS; ++i) {
            _withdraw(i, _market.freeBalance(_at(i)));
        }
    }

    // ───────────────────────────────────────── what they do ────────────────────────────────────────────

    /// @dev Mostly the newest.
    function _round(uint256 seed) private view returns (uint256) {
        uint256 rounds = _market.roundCount();
        return seed % 4 == 0 ? 1 + (seed >> 2) % rounds : rounds;
    }

    function _create(uint256 x) private {
        IHCFL.RoundTerms memory t = _drawTerms(x);
        bytes32 root = _root(t);
        uint256 r = _market.createRound(t, root);
        (_terms[r], _doors[r]) = (t, _market.doorOf(root, _market.termsHashOf(t)));
    }

    /// @dev What the phase asks of actor i.
    function _step(uint256 r, uint256 i, uint256 x) private {
        IHCFL.RoundView memory v = _market.roundOf(r);
        IHCFL.MemberView memory member = _market.memberOf(r, _at(i));
        bool owner = member.role == Role.Owner && member.stage != Stage.None;
        if (v.phase == Phase.Join) {
            if (member.stage == Stage.None) _make(Move.Join, r, i, x);
            bool mayPropose = i & 1 == 0 && !member.proposer && v.modelCount < _terms[r].maxModels;
            if (mayPropose && x % 3 != 0) _make(Move.Propose, r, i, x);
        } else if (v.phase == Phase.Commit) {
            _make(member.stage == Stage.None ? Move.JoinAndCommit : Move.Commit, r, i, x);
        } else if (v.phase == Phase.Draw) {
            _make(Move.Draw, r, i, x);
        } else if (v.phase == Phase.Reveal) {
            if (member.stage == Stage.Committed) _make(Move.Reveal, r, i, x);
        } else if (v.phase == Phase.Select) {
            _make(Move.Select, r, i, x);
        } else if (v.phase == Phase.Train) {
            if (_at(i) == _winner(r)) {
                if (member.recorded < GLOBAL_ROUNDS && x & 6 != 0) _make(Move.RecordGlobal, r, i, x);
                else if (x & 8 == 0) _report(r, i, x);
            } else if (!owner && (member.stage == Stage.Revealed || member.claimant)) {
                _make(Move.RecordUpdate, r, i, x);
                if (x & 12 != 0) _make(Move.RecordUpdate, r, i, x >> 4);
            }
        } else if (v.phase == Phase.Report) {
            if (block.timestamp >= _terms[r].deadlines.report) _make(Move.Abort, r, i, x);
            else if (_at(i) == _winner(r)) _report(r, i, x);
        } else if (v.phase == Phase.Vote) {
            if (owner && _at(i) != _winner(r)) _make(Move.Vote, r, i, x);
        } else {
            if (member.claimant && x & 2 == 0) _make(Move.Claim, r, i, x);
            else _make(x & 8 == 0 ? Move.SettleMany : Move.Settle, r, i, x & 1 == 0 ? i : x);
        }
    }

    function _report(uint256 r, uint256 i, uint256 x) private {
        _make(Move.Contribute, r, i, x);
        _make(Move.Report, r, i, x);
    }

    function _make(Move move, uint256 r, uint256 i, uint256 x) private {
        (uint256 value, bytes memory data) = _call(move, r, i, x);
        ++tried[move];
        if (!_act(i, value, data)) return;
        ++done[move];
        if (move != Move.Reveal) return;
        (uint256 side, uint256 word) = (uint256(_market.memberOf(r, _at(i)).role), _bids[r][_at(i)]);
        for (uint256 m; m < MODELS; ++m) {
            _sums[r][side][m] += (word >> (64 * (m + 1))) & type(uint64).max;
        }
    }

    function _withdraw(uint256 i, uint256 amount) private {
        if (_act(i, 0, abi.encodeCall(_market.withdraw, (amount, _at(i))))) ++withdrawn;
        else ++refused;
    }

    /// @dev Forge records what a failed call logged, too: that is thrown away.
    function _act(uint256 i, uint256 value, bytes memory data) private returns (bool success) {
        (success,) = actors[i % ACTORS].act(value, data);
        if (success) _enterLogs();
        else vm.getRecordedLogs();
    }

    /// @dev To the next deadline of the round, or a second before it; the draw's window has two of its own.
    function _wait(uint256 r, uint256 x) private {
        IHCFL.Deadlines memory d = _terms[r].deadlines;
        uint40[9] memory times =
            [d.join, d.commit, d.commit + 60, (d.commit + d.reveal) / 2, d.reveal, d.select, d.train, d.report, d.vote];
        for (uint256 p; p < 9; ++p) {
            if (times[p] <= block.timestamp) continue;
            return vm.warp(times[p] - (x % 8 == 0 ? 1 : 0));
        }
    }

    // ───────────────────────────────────────── what is seen ────────────────────────────────────────────

    function _look(uint256 r) private {
        IHCFL.RoundView memory v = _market.roundOf(r);
        Status old = _statuses[r];
        bool over = old > Status.Open && old != Status.Training;
        if (v.phase < _phases[r] || v.status < old || (over && v.status != old)) wentBack = true;
        if (v.status != old) ++came[v.status];
        (_phases[r], _statuses[r]) = (v.phase, v.status);
        (IHCFL.RoundTerms memory terms, bytes32 door) = _market.termsOf(r);
        if (door != _doors[r] || keccak256(abi.encode(terms)) != keccak256(abi.encode(_terms[r]))) wentBack = true;
        (uint256[] memory values, uint256[] memory costs) = _market.sumsOf(r);
        for (uint256 m; m < values.length; ++m) {
            if (values[m] != _sums[r][0][m] || costs[m] != _sums[r][1][m]) misadded = true;
        }
        for (uint256 i; i < ACTORS; ++i) {
            IHCFL.MemberView memory now_ = _market.memberOf(r, _at(i));
            IHCFL.MemberView storage before = _members[r][_at(i)];
            if (settled[r][_at(i)]) {
                // Forgotten for good, but for the claimant.
                if (now_.stage != (now_.claimant ? Stage.Settled : Stage.None)) wentBack = true;
                continue;
            }
            if (now_.stage < before.stage) wentBack = true;
            if (before.stage != Stage.None && now_.role != before.role) wentBack = true;
            if ((before.proposer && !now_.proposer) || (before.voted && !now_.voted)) wentBack = true;
            if ((before.claimant && !now_.claimant) || (before.listed && !now_.listed)) wentBack = true;
            if (now_.recorded < before.recorded) wentBack = true;
            if (before.ordinal != 0 && now_.ordinal != before.ordinal) wentBack = true;
            _members[r][_at(i)] = now_;
        }
    }

    /// @notice Calls of the re-entering actor, made while it was paid, that succeeded.
    function reentered() external view returns (uint256) {
        return ReenteringActor(payable(_at(1))).reentered();
    }
}
