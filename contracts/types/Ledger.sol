// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bits} from "./Bits.sol";
import {OWNERS, STATIONS} from "./Side.sol";

/// @dev Who is in, and what the round holds: the word that joins, commits, settlements and rebates share. (A proposer's commit also
/// writes Conduct, one under Capability Draw.)
///
///   128 escrow 128 | 127 baseWeighted | 126 ownersWeighted | 105 settled 21 | 85 stations 20 | 65 owners 20 |
///   40 commitAfter 25 | 0 joinDeadline 40
///
/// `owners` and `stations` count committed members, `settled` the settled ones among them, `escrow` is wei. A side is weighted under
/// Capability: its points are summed when members commit.
type Ledger is uint256;

using LedgerLibrary for Ledger global;

/// @dev A side's largest number of committed members. With bids below 2^44, a 64-bit sum of them cannot overflow.
uint256 constant MAX_COMMITTED = 2 ** 20 - 1;
/// @dev The most that a round can hold: over a million locks of the largest kind, so that no cap, bond or points can reach it.
uint256 constant MAX_ESCROW = 2 ** 128 - 1;

library LedgerLibrary {
    using Bits for uint256;

    uint256 private constant COMMIT_AFTER = 40;
    uint256 private constant COMMITTED = 65;
    uint256 private constant COMMITTED_WIDTH = 20;
    uint256 private constant SETTLED = 105;
    uint256 private constant WEIGHTED = 126;
    uint256 private constant ESCROW = 128;

    /// @dev Deadlines increase and end within a year: the difference is below 2^25.
    function pack(uint256 joinDeadline_, uint256 commitDeadline_, bool ownersWeighted, bool baseWeighted)
        internal
        pure
        returns (Ledger)
    {
        uint256 word = joinDeadline_ | ((commitDeadline_ - joinDeadline_) << COMMIT_AFTER);
        if (ownersWeighted) word = word.raise(WEIGHTED);
        if (baseWeighted) word = word.raise(WEIGHTED + 1);
        return Ledger.wrap(word);
    }

    function exists(Ledger self) internal pure returns (bool) {
        return Ledger.unwrap(self) != 0;
    }

    function joinDeadline(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(0, 40);
    }

    function commitDeadline(Ledger self) internal pure returns (uint256) {
        unchecked {
            return self.joinDeadline() + Ledger.unwrap(self).get(COMMIT_AFTER, 25);
        }
    }

    function committed(Ledger self, uint256 side) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(COMMITTED + COMMITTED_WIDTH * side, COMMITTED_WIDTH);
    }

    function settled(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(SETTLED, 21);
    }

    function escrow(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(ESCROW, 128);
    }

    function weighted(Ledger self, uint256 side) internal pure returns (bool) {
        return Ledger.unwrap(self).flag(WEIGHTED + side);
    }

    /// @dev Whether all committed members are settled, so that rebates are due.
    function allSettled(Ledger self) internal pure returns (bool) {
        return self.settled() == self.committed(OWNERS) + self.committed(STATIONS);
    }

    /// @dev The caller has checked that the side is below MAX_COMMITTED.
    function withCommitted(Ledger self, uint256 side) internal pure returns (Ledger) {
        unchecked {
            return Ledger.wrap(Ledger.unwrap(self) + (1 << (COMMITTED + COMMITTED_WIDTH * side)));
        }
    }

    /// @dev Each committed member is settled once: at most 2^21 − 2 are added.
    function withSettled(Ledger self) internal pure returns (Ledger) {
        unchecked {
            return Ledger.wrap(Ledger.unwrap(self) + (1 << SETTLED));
        }
    }

    /// @dev Reverts if the escrow would pass MAX_ESCROW: it is the word's top field. `amount` is below 2^128.
    function plusEscrow(Ledger self, uint256 amount) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self) + (amount << ESCROW));
    }

    /// @dev Reverts if the escrow holds less: it is the word's top field. `amount` is below 2^128.
    function minusEscrow(Ledger self, uint256 amount) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self) - (amount << ESCROW));
    }
}
