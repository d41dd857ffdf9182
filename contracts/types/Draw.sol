// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bits} from "./Bits.sol";

/// @dev What the round is decided by beside the bids: θ, under Capability the sums of the committed members' points, and two limits.
///
///   189 free 67 | 182 maxModels 7 | 168 threshold 14 | 116 basePoints 52 | 64 ownerPoints 52 | 0 θ 64
///
/// θ = the field / 2^64, threshold in 1/10,000.
type Draw is uint256;

using DrawLibrary for Draw global;

library DrawLibrary {
    using Bits for uint256;

    uint256 private constant POINTS = 64;
    uint256 private constant POINTS_WIDTH = 52;
    uint256 private constant THRESHOLD = 168;
    uint256 private constant MAX_MODELS = 182;

    function pack(uint64 theta_, uint256 thresholdBps_, uint256 maxModels_) internal pure returns (Draw) {
        return Draw.wrap(theta_ | (thresholdBps_ << THRESHOLD) | (maxModels_ << MAX_MODELS));
    }

    function theta(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(0, 64);
    }

    function points(Draw self, uint256 side) internal pure returns (uint256) {
        return Draw.unwrap(self).get(POINTS + POINTS_WIDTH * side, POINTS_WIDTH);
    }

    function thresholdBps(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(THRESHOLD, 14);
    }

    function maxModels(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(MAX_MODELS, 7);
    }

    /// @dev At most 2^20 − 1 members of at most 2^32 − 1 points each are added.
    function withPoints(Draw self, uint256 side, uint256 points_) internal pure returns (Draw) {
        unchecked {
            return Draw.wrap(Draw.unwrap(self) + (points_ << (POINTS + POINTS_WIDTH * side)));
        }
    }
}
