// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Words} from "./Words.sol";
import {IHCFL} from "./interfaces/IHCFL.sol";

/// @title Packed sums
/// @notice Bids travel and are summed four to a word (`IHCFL`, "Packed bids"). Lane 0 of word 0 counts the vectors that were added.
/// @dev A bid is below 2^44 and at most 2^20 − 1 vectors are added, so no lane can reach 2^64 and whole words can be added.
library Lanes {
    using Words for uint256[17];

    /// @dev The top bit of each lane.
    // Four lanes of sixteen digits each, set apart.
    // slither-disable-next-line too-many-digits
    uint256 internal constant TOP = 0x8000000000000000_8000000000000000_8000000000000000_8000000000000000;
    /// @dev The lowest bit of each lane: times a cap it is the cap in every lane.
    // slither-disable-next-line too-many-digits
    uint256 internal constant ONES = 0x0000000000000001_0000000000000001_0000000000000001_0000000000000001;
    uint256 internal constant LANE = type(uint64).max;

    /// @dev Words of 64-bit lanes for `models` bids and the counter.
    function wordsFor(uint256 models) internal pure returns (uint256) {
        return models / 4 + 1;
    }

    /// @dev Word index of model m's bid.
    function wordOf(uint256 m) internal pure returns (uint256) {
        return (m + 1) >> 2;
    }

    /// @dev The first of `models` models, or their number, whose bid is not in word w or an earlier one.
    function firstAfter(uint256 w, uint256 models) internal pure returns (uint256) {
        unchecked {
            uint256 first = 4 * w + 3;
            return first < models ? first : models;
        }
    }

    /// @dev Model m's bid in its word.
    function lane(uint256 word, uint256 m) internal pure returns (uint256) {
        return (word >> (((m + 1) & 3) << 6)) & LANE;
    }

    /// @dev The counter in word 0.
    function count(uint256 word0) internal pure returns (uint256) {
        return word0 & LANE;
    }

    /// @dev Model m's bid in the vector `a[from], a[from + 1], …`, in bounds.
    function bidAt(uint256[] calldata a, uint256 from, uint256 m) internal pure returns (uint256 bid) {
        // With l = m + 1: (a[from + l / 4] >> (64 * (l % 4))) & LANE. Lane l starts at byte 8 (l xor 3): a word's highest lane is its first.
        assembly ("memory-safe") {
            // The xor is meant, no power.
            // slither-disable-next-line incorrect-exp
            bid := shr(192, calldataload(add(add(a.offset, shl(5, from)), shl(3, xor(add(m, 1), 3)))))
        }
    }

    /// @dev Whether every lane of `word` is at most the same lane of `caps`, where caps are below 2^63: with lanes below 2^63 the
    /// difference `(2^63 + cap) − lane` keeps its top bit exactly if `lane ≤ cap`, and borrows nothing from its neighbour.
    function within(uint256 word, uint256 caps) internal pure returns (bool) {
        unchecked {
            return (word | ~((caps | TOP) - word)) & TOP == 0;
        }
    }

    /// @dev Adds a member's bids, and 1 for the counter, to its side's sums, word by word. There are `wordsFor(models)` words.
    function add(uint256[17] storage sums, uint256[] calldata bids, uint256 models, uint256 cap) internal {
        unchecked {
            uint256 words = bids.length;
            uint256 caps = cap * ONES - cap; // none for the counter's lane, where bids carry 0
            uint256 counted = 1;
            for (uint256 w; w < words; ++w) {
                // Lanes after the last model carry 0; a full word's mask is 2^256 − 1.
                if (w + 1 == words) caps &= (1 << (64 * (models + 1 - 4 * w))) - 1;
                uint256 word = bids[w];
                if (!within(word, caps)) refuse(word, w, models, cap);
                sums.increase(w, word + counted);
                (caps, counted) = (cap * ONES, 0);
            }
        }
    }

    /// @dev The live model with the largest positive score `E = (stations − 1) V − stations K`, the lowest index on a tie, from the sums
    /// of values and costs, gwei. `score` is 0 if there is none. Sums are below 2^64, `stations` below 2^20.
    function best(uint256[17] storage values, uint256[17] storage costs, uint256 models, uint256 live, uint256 stations)
        internal
        view
        returns (uint256 selected, uint256 score)
    {
        unchecked {
            uint256 m;
            for (uint256 w; m < models; ++w) {
                uint256 valueWord = values.atStorage(w);
                uint256 costWord = costs.atStorage(w);
                for (uint256 end = firstAfter(w, models); m < end; ++m) {
                    uint256 value = (stations - 1) * lane(valueWord, m);
                    uint256 cost = stations * lane(costWord, m);
                    if ((live >> m) & 1 == 1 && value > cost && value - cost > score) {
                        (selected, score) = (m, value - cost);
                    }
                }
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
