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
    /// @notice What they have paid it beyond its locks: rewards, parts of an abort, rebates.
    mapping(uint256 roundId => mapping(address account => uint256)) public paid;

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
        } else if (what == IHCFL.RebatePaid.selector) {
            uint256 amount = abi.decode(log.data, (uint256));
            _move(uint256(log.topics[1]), address(uint160(uint256(log.topics[2]))), amount);
            paid[uint256(log.topics[1])][address(uint160(uint256(log.topics[2])))] += amount;
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
        (uint256 share, uint256 tax, uint256 slashed, uint256 reward,) =
            abi.decode(data, (uint256, uint256, uint256, uint256, uint256));
        _move(roundId, account, locked[roundId][account] + reward - share - tax - slashed);
        locked[roundId][account] = 0;
        collected[roundId][account] += share + tax + slashed;
        paid[roundId][account] += reward;
    }

    /// @dev Reverts below zero: an escrow that paid more than it holds.
    function _move(uint256 roundId, address account, uint256 amount) private {
        escrow[roundId] -= amount;
        free[account] += amount;
    }
}
