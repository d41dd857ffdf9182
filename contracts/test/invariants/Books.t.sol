// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HCFL} from "../../HCFL.sol";
import {IHCFL, Role} from "../../interfaces/IHCFL.sol";
import {Vm, vm} from "./Vm.t.sol";

/// @title Books kept beside the market, from its logs and terms alone
/// @notice What each account must have free and each round in escrow, had every call done what its events say. Amounts are wei.
contract Books {
    HCFL internal immutable _market;

    mapping(address account => uint256) public free;
    mapping(uint256 roundId => uint256) public escrow;
    mapping(uint256 roundId => mapping(address account => uint256)) public locked;
    /// @notice What rounds have collected from an account: shares, taxes, slashed bonds.
    mapping(uint256 roundId => mapping(address account => uint256)) public collected;
    /// @notice What they have paid it beyond its locks: rewards, others' stakes, the lot.
    mapping(uint256 roundId => mapping(address account => uint256)) public paid;
    /// @notice Of what was collected: slashed bonds.
    mapping(uint256 roundId => mapping(address account => uint256)) public slashed;
    /// @notice Whether an account is settled.
    mapping(uint256 roundId => mapping(address account => bool)) public settled;
    /// @notice Of a round: rewards that were not earned, and taxes that are not claimed.
    mapping(uint256 roundId => uint256) public forfeited;
    mapping(uint256 roundId => uint256) public lot;

    constructor(HCFL market) {
        _market = market;
    }

    /// @dev Enters what was logged since the last time.
    function _enterLogs() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter == address(_market)) _enter(logs[i]);
        }
    }

    function _enter(Vm.Log memory log) private {
        bytes32 what = log.topics[0];
        if (what == IHCFL.Deposited.selector) {
            free[address(uint160(uint256(log.topics[1])))] += abi.decode(log.data, (uint256));
        } else if (what == IHCFL.Withdrawn.selector) {
            free[address(uint160(uint256(log.topics[1])))] -= abi.decode(log.data, (uint256));
        } else if (what == IHCFL.Joined.selector) {
            _enterJoin(uint256(log.topics[1]), address(uint160(uint256(log.topics[2]))), log.data);
        } else if (what == IHCFL.MemberSettled.selector) {
            _enterSettlement(uint256(log.topics[1]), address(uint160(uint256(log.topics[2]))), log.data);
        } else if (what == IHCFL.LotClaimed.selector) {
            (uint256 roundId, address account) = (uint256(log.topics[1]), address(uint160(uint256(log.topics[2]))));
            uint256 amount = abi.decode(log.data, (uint256));
            _move(roundId, account, amount);
            paid[roundId][account] += amount;
            lot[roundId] -= amount;
        }
    }

    function _enterJoin(uint256 roundId, address account, bytes memory data) private {
        (Role role, uint32 points, uint256 value) = abi.decode(data, (Role, uint32, uint256));
        uint256 lock = _market.lockOf(roundId, role, points);
        free[account] = free[account] + value - lock;
        locked[roundId][account] = lock;
        escrow[roundId] += lock;
    }

    function _enterSettlement(uint256 roundId, address account, bytes memory data) private {
        (uint256 share, uint256 tax, uint256 bond, uint256 reward, uint256 unearned, int256 bonus) =
            abi.decode(data, (uint256, uint256, uint256, uint256, uint256, int256));
        (uint256 more, uint256 less) = bonus > 0 ? (uint256(bonus), uint256(0)) : (uint256(0), uint256(-bonus));
        _move(roundId, account, locked[roundId][account] + reward + more - less - share - tax - bond);
        locked[roundId][account] = 0;
        collected[roundId][account] += share + tax + bond + less;
        paid[roundId][account] += reward + more;
        slashed[roundId][account] += bond;
        settled[roundId][account] = true;
        forfeited[roundId] += unearned;
        lot[roundId] += tax;
    }

    /// @dev Reverts below zero: an escrow that paid more than it holds, or a lot.
    function _move(uint256 roundId, address account, uint256 amount) private {
        escrow[roundId] -= amount;
        free[account] += amount;
    }
}
