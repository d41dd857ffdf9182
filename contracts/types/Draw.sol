// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev What the round is decided by beside the bids: read by the draw, the selection and settlements. Written by proposers' commits,
/// the draw and the winner's list.
///
///   249 free 7 | 228 listed 21 | 214 surplusMax 14 | 200 surplusMin 14 | 186 tolerance 14 | 172 threshold 14 | 128 stake 44 |
///   64 live 64 | 0 θ 64
///
/// θ = the field / 2^64. Bit m of `live`: the proposer of model m has committed. `stake` is gwei, `listed` the sum of the points that
/// the winner has listed, the others are 1/10,000.
type Draw is uint256;

using DrawLibrary for Draw global;

library DrawLibrary {
    using Bits for uint256;

    uint256 private constant LIVE = 64;
    uint256 private constant STAKE = 128;
    uint256 private constant THRESHOLD = 172;
    uint256 private constant TOLERANCE = 186;
    uint256 private constant SURPLUS_MIN = 200;
    uint256 private constant SURPLUS_MAX = 214;
    uint256 private constant LISTED = 228;

    function pack(IHCFL.RoundTerms calldata t) internal pure returns (Draw) {
        return Draw.wrap(
            ((t.contributionStake / 1 gwei) << STAKE) | (uint256(t.thresholdBps) << THRESHOLD)
                | (uint256(t.toleranceBps) << TOLERANCE) | (uint256(t.surplusMinBps) << SURPLUS_MIN)
                | (uint256(t.surplusMaxBps) << SURPLUS_MAX)
        );
    }

    function theta(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(0, 64);
    }

    function live(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(LIVE, 64);
    }

    /// @dev Wei.
    function stake(Draw self) internal pure returns (uint256) {
        unchecked {
            return Draw.unwrap(self).get(STAKE, 44) * 1 gwei;
        }
    }

    function thresholdBps(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(THRESHOLD, 14);
    }

    function toleranceBps(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(TOLERANCE, 14);
    }

    /// @dev The range of θ, 1/10,000.
    function surplusBps(Draw self) internal pure returns (uint256 lo, uint256 hi) {
        return (Draw.unwrap(self).get(SURPLUS_MIN, 14), Draw.unwrap(self).get(SURPLUS_MAX, 14));
    }

    function listed(Draw self) internal pure returns (uint256) {
        return Draw.unwrap(self).get(LISTED, 21);
    }

    /// @dev θ's numerator for a random `u` below 2^64: `lo · 2^64 + (hi − lo) · u` in 1/10,000, so below 2^64. Once.
    function withTheta(Draw self, uint256 u) internal pure returns (Draw) {
        unchecked {
            (uint256 lo, uint256 hi) = self.surplusBps();
            return Draw.wrap(Draw.unwrap(self) | (((lo << 64) + (hi - lo) * u) / 10_000));
        }
    }

    function withLive(Draw self, uint256 model) internal pure returns (Draw) {
        return Draw.wrap(Draw.unwrap(self).raise(LIVE + model));
    }

    /// @dev Every base station is listed with at most `2,000,000 / n_B`: the sum fits.
    function withListed(Draw self, uint256 sum) internal pure returns (Draw) {
        return Draw.wrap(Draw.unwrap(self).set(LISTED, 21, sum));
    }
}
