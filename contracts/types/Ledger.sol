// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev Who is in, and what the round holds: the word that joins, commits and settlements share. (A proposer's commit also writes Draw.)
///
///   160 escrow 96 | 157 free 3 | 105 points 52 | 85 stations 20 | 65 owners 20 | 40 commitAfter 25 | 0 joinDeadline 40
///
/// `owners` and `stations` count committed members, `points` is Σp of the owners among them (their number under Equal), `escrow` is
/// wei. `commitAfter` is seconds after the join deadline.
type Ledger is uint256;

using LedgerLibrary for Ledger global;

/// @dev A side's largest number of committed members. With bids below 2^44, a 64-bit sum of them cannot overflow.
uint256 constant MAX_COMMITTED = 2 ** 20 - 1;
/// @dev The most that a round can hold, 7.9e10 ether.
uint256 constant MAX_ESCROW = 2 ** 96 - 1;

library LedgerLibrary {
    using Bits for uint256;

    uint256 private constant COMMIT_AFTER = 40;
    uint256 private constant COMMITTED = 65;
    uint256 private constant COMMITTED_WIDTH = 20;
    uint256 private constant POINTS = 105;
    uint256 private constant ESCROW = 160;

    /// @dev Deadlines increase and end within a year: the difference is below 2^25.
    function pack(IHCFL.Deadlines calldata d) internal pure returns (Ledger) {
        return Ledger.wrap(d.join | (uint256(d.commit - d.join) << COMMIT_AFTER));
    }

    function joinDeadline(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(0, 40);
    }

    function commitDeadline(Ledger self) internal pure returns (uint256) {
        return self.joinDeadline() + Ledger.unwrap(self).get(COMMIT_AFTER, 25);
    }

    function committed(Ledger self, uint256 side) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(COMMITTED + COMMITTED_WIDTH * side, COMMITTED_WIDTH);
    }

    function points(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(POINTS, 52);
    }

    function escrow(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self) >> ESCROW;
    }

    /// @dev The caller has checked that the side is below MAX_COMMITTED.
    /// @param points_ of an owner, below 2^32; 0 for a base station
    function withCommitted(Ledger self, uint256 side, uint256 points_) internal pure returns (Ledger) {
        unchecked {
            uint256 counted = 1 << (COMMITTED + COMMITTED_WIDTH * side);
            return Ledger.wrap(Ledger.unwrap(self) + counted + (points_ << POINTS));
        }
    }

    /// @dev The caller has checked that no more than MAX_ESCROW comes together.
    function plusEscrow(Ledger self, uint256 amount) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self) + (amount << ESCROW));
    }

    /// @dev Reverts if the escrow holds less.
    function minusEscrow(Ledger self, uint256 amount) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self).set(ESCROW, 96, self.escrow() - amount));
    }
}
