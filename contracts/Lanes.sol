// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "./interfaces/IHCFL.sol";

/// @title Packed sums
/// @notice Bids travel and are summed four to a word. Lane l of a word is its bits `64 l … 64 l + 63`. Lane 0 of word 0 counts the
/// vectors that were added (bids carry 0 there); the bid for model m is lane `(m + 1) % 4` of word `(m + 1) / 4`.
/// @dev A bid is below 2^44 and at most 2^20 − 1 vectors are added, so no lane can reach 2^64 and whole words can be added.
/// Weighted terms (wei) need 128 bits: term m is the half `m % 2` of word `m / 2`.
library Lanes {
    /// @dev The top bit of each lane.
    uint256 internal constant TOP = 0x8000000000000000_8000000000000000_8000000000000000_8000000000000000;
    /// @dev The lowest bit of each lane: times a cap it is the cap in every lane.
    uint256 internal constant ONES = 0x0000000000000001_0000000000000001_0000000000000001_0000000000000001;
    uint256 internal constant LANE = type(uint64).max;
    uint256 internal constant WIDE = type(uint128).max;

    /// @dev Words of 64-bit lanes for `models` bids and the counter.
    function wordsFor(uint256 models) internal pure returns (uint256) {
        return models / 4 + 1;
    }

    /// @dev Word index of model m's bid.
    function wordOf(uint256 m) internal pure returns (uint256) {
        return (m + 1) >> 2;
    }

    /// @dev Model m's bid in its word.
    function lane(uint256 word, uint256 m) internal pure returns (uint256) {
        return (word >> (((m + 1) & 3) << 6)) & LANE;
    }

    /// @dev The counter in word 0.
    function count(uint256 word0) internal pure returns (uint256) {
        return word0 & LANE;
    }

    /// @dev Model m's half of a word of 128-bit terms.
    function wide(uint256 word, uint256 m) internal pure returns (uint256) {
        return (word >> ((m & 1) << 7)) & WIDE;
    }

    /// @dev The cap in the lanes of word w that hold one of `models` bids, 0 in the others.
    function capWord(uint256 w, uint256 models, uint256 cap) internal pure returns (uint256 caps) {
        unchecked {
            // Bids of word w are lanes first … last − 1.
            uint256 first = w == 0 ? 1 : 0;
            uint256 last = models + 1 - 4 * w;
            caps = cap * ONES;
            if (last < 4) caps &= (1 << (64 * last)) - 1;
            caps &= type(uint256).max << (64 * first);
        }
    }

    /// @dev Whether every lane of `word` is at most the same lane of `caps`, where caps are below 2^63: with lanes below 2^63 the
    /// difference `(2^63 + cap) − lane` keeps its top bit exactly if `lane ≤ cap`, and borrows nothing from its neighbour.
    function within(uint256 word, uint256 caps) internal pure returns (bool) {
        unchecked {
            return word & TOP == 0 && ((caps | TOP) - word) & TOP == TOP;
        }
    }

    /// @dev Adds a member's bids, and 1 for the counter, to its side's sums, word by word.
    function add(uint256[17] storage sums, uint256[] calldata bids, uint256 models, uint256 cap) internal {
        for (uint256 w; w < bids.length; ++w) {
            if (!within(bids[w], capWord(w, models, cap))) refuse(bids[w], w, models, cap);
            unchecked {
                sums[w] += bids[w] + (w == 0 ? 1 : 0);
            }
        }
    }

    /// @dev Says which bid is over the cap, or that the word has something in a lane that holds no bid.
    function refuse(uint256 word, uint256 w, uint256 models, uint256 cap) private pure {
        for (uint256 m = w == 0 ? 0 : 4 * w - 1; m < models && wordOf(m) == w; ++m) {
            if (lane(word, m) > cap) revert IHCFL.BidOverCap(m, lane(word, m), cap);
        }
        revert IHCFL.MalformedBids(w, word);
    }
}
