// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev Who is in, and what the round holds: all of a round that a join, a commit and a rebate write.
///
///   240 free 16 | 239 baseWeighted | 238 ownersWeighted | 147 escrow 91 | 126 settled 21 | 106 stations 20 | 86 owners 20 | 72 threshold 14 | 65 maxModels 7 |
///   40 commitAfter 25 | 0 joinDeadline 40
///
/// `owners` and `stations` count committed members, `settled` the settled ones among them, `escrow` is wei. A side is weighted under
/// Capability: its points are summed when members commit.
type Ledger is uint256;

using LedgerLibrary for Ledger global;

/// @dev A side's largest number of committed members. With bids below 2^44, a 64-bit sum of them cannot overflow.
uint256 constant MAX_COMMITTED = 2 ** 20 - 1;
/// @dev The most that a round can hold, 2.4e9 ether.
uint256 constant MAX_ESCROW = 2 ** 91 - 1;

library LedgerLibrary {
    using Bits for uint256;

    uint256 private constant COMMIT_AFTER = 40;
    uint256 private constant MAX_MODELS = 65;
    uint256 private constant THRESHOLD = 72;
    uint256 private constant OWNERS = 86;
    uint256 private constant STATIONS = 106;
    uint256 private constant SETTLED = 126;
    uint256 private constant ESCROW = 147;
    uint256 private constant WEIGHTED = 238;

    function pack(
        uint256 joinDeadline_,
        uint256 commitDeadline_,
        uint256 maxModels_,
        uint256 thresholdBps_,
        bool ownersWeighted,
        bool baseWeighted
    ) internal pure returns (Ledger) {
        uint256 word = joinDeadline_ | ((commitDeadline_ - joinDeadline_) << COMMIT_AFTER)
            | (maxModels_ << MAX_MODELS) | (thresholdBps_ << THRESHOLD);
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
        return self.joinDeadline() + Ledger.unwrap(self).get(COMMIT_AFTER, 25);
    }

    function maxModels(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(MAX_MODELS, 7);
    }

    function thresholdBps(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(THRESHOLD, 14);
    }

    function committed(Ledger self, Role role) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(role == Role.Owner ? OWNERS : STATIONS, 20);
    }

    function settled(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(SETTLED, 21);
    }

    function escrow(Ledger self) internal pure returns (uint256) {
        return Ledger.unwrap(self).get(ESCROW, 91);
    }

    function weighted(Ledger self, Role role) internal pure returns (bool) {
        return Ledger.unwrap(self).flag(WEIGHTED + uint256(role));
    }

    /// @dev Whether all committed members are settled, so that rebates are due.
    function allSettled(Ledger self) internal pure returns (bool) {
        return self.settled() == self.committed(Role.Owner) + self.committed(Role.BaseStation);
    }

    /// @dev The caller has checked that the side is below MAX_COMMITTED.
    function withCommitted(Ledger self, Role role) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self) + (1 << (role == Role.Owner ? OWNERS : STATIONS)));
    }

    /// @dev Each committed member is settled once: at most 2^21 − 2 are added.
    function withSettled(Ledger self, uint256 members) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self) + (members << SETTLED));
    }

    /// @dev The caller has checked that the amount fits.
    function withEscrow(Ledger self, uint256 amount) internal pure returns (Ledger) {
        return Ledger.wrap(Ledger.unwrap(self).set(ESCROW, 91, amount));
    }
}
