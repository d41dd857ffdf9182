// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "./ClarkeTax.sol";
import {Lanes} from "./Lanes.sol";

/// @title Sums of weighted terms
/// @notice Under Capability a side sums beside its bids each member's terms (`ClarkeTax.term`), wei, two to a word: that of model m
/// is the half `m % 2` of word `m / 2`.
/// @dev A term is below 2^107 and at most 2^20 − 1 of them are added: no half reaches 2^128, the low one never carries.
library WeightedTerms {
    /// @dev Adds the terms of a member's bids.
    /// @param points its points
    /// @param total Σp of its side, more than `points`
    /// @param up whether terms are rounded up (owners) or down (base stations)
    function add(
        uint256[32] storage sums,
        uint256[] calldata bids,
        uint256 models,
        uint256 points,
        uint256 total,
        bool up
    ) internal {
        unchecked {
            uint256 rest = total - points;
            uint256 rounding = up ? rest - 1 : 0;
            for (uint256 m; m < models; ++m) {
                uint256 pair = ClarkeTax.term(Lanes.bidAt(bids, 0, m) * 1 gwei, total, rest, rounding);
                if (++m < models) {
                    pair |= ClarkeTax.term(Lanes.bidAt(bids, 0, m) * 1 gwei, total, rest, rounding) << 128;
                }
                if (pair != 0) sums[m >> 1] += pair;
            }
        }
    }

    /// @dev The sum of the terms of model m.
    function sumOf(uint256[32] storage sums, uint256 m) internal view returns (uint256) {
        return (sums[m >> 1] >> ((m & 1) << 7)) & type(uint128).max;
    }
}
