// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "../../Lanes.sol";
import {MAX_COMMITTED} from "../../types/Ledger.sol";
import {MAX_CAP} from "../../types/Terms.sol";
import {Proof} from "./Proof.t.sol";

/// @title Packed sums, for all words
/// @notice What a lane is, is said here once more and in another way: by division and remainder.
contract LanesProof is Proof {
    uint256 private constant MODELS = 6;

    uint256[17] private _sums;
    uint256[17] private _costs;

    /// @dev Lane l of a word.
    function laneAt(uint256 word, uint256 l) private pure returns (uint256) {
        return (word / 2 ** (64 * l)) % 2 ** 64;
    }

    function check_within__anyWordAndCapsBelow2To63__isLaneByLane(uint256 word, uint256 caps) external pure {
        bool expected = true;
        for (uint256 l; l < 4; ++l) {
            assume(laneAt(caps, l) < 2 ** 63);
            if (laneAt(word, l) > laneAt(caps, l)) expected = false;
        }
        assert(Lanes.within(word, caps) == expected);
    }

    function check_lane__anyModel__isItsOwnPlaceInTheVector(uint256 word, uint256 m, uint256 models) external pure {
        assume(m < models && models <= 64);
        assert(Lanes.wordOf(m) == (m + 1) / 4);
        assert(Lanes.wordOf(m) < Lanes.wordsFor(models));
        assert(Lanes.lane(word, m) == laneAt(word, (m + 1) % 4));
    }

    function check_lane__packedBids__areReadBack(uint64[4] calldata bids, uint256 w) external pure {
        assume(w <= 16);
        uint256 word;
        for (uint256 l; l < 4; ++l) {
            word += bids[l] * 2 ** (64 * l);
        }
        if (w == 0) assert(Lanes.count(word) == bids[0]);
        else assert(Lanes.lane(word, 4 * w - 1) == bids[0]);
        for (uint256 l = 1; l < 4; ++l) {
            assert(Lanes.lane(word, 4 * w + l - 1) == bids[l]);
        }
    }

    /// @custom:halmos --array-lengths bids=3
    function check_bidAt__anyVector__isTheLaneOfItsWord(uint256[] calldata bids) external pure {
        for (uint256 from; from < 2; ++from) {
            for (uint256 m; m < 7; ++m) {
                assert(Lanes.bidAt(bids, from, m) == laneAt(bids[from + (m + 1) / 4], (m + 1) % 4));
            }
        }
    }

    function check_firstAfter__anyWord__isWhereItsBidsEnd(uint256 w, uint256 models) external pure {
        assume(models >= 1 && models <= 64 && w < Lanes.wordsFor(models));
        uint256 end = Lanes.firstAfter(w, models);
        assert(end <= models);
        if (end < models) assert(Lanes.wordOf(end) == w + 1);
        if (end > 0) assert(Lanes.wordOf(end - 1) <= w);
    }

    /// @notice One step of an induction over the members of a side: if k < 2^20 − 1 vectors were added, each lane of bids within
    /// k (2^44 − 1), then adding one more raises each lane by its own bid, the counter by 1, and nothing else. Bounded: six models,
    /// whose two words have all that differs between words (the counter, a lane behind the last model).
    /// @custom:halmos --array-lengths bids=2
    function check_add__sumsOfAnyKVectors__everyLaneRisesByItsBid(
        uint256[] calldata bids,
        uint256[2] calldata sums,
        uint256 k,
        uint256 cap
    ) external {
        assume(k < MAX_COMMITTED && cap <= MAX_CAP);
        assume(laneAt(sums[0], 0) == k && laneAt(sums[1], 3) == 0);
        for (uint256 place = 1; place <= MODELS; ++place) {
            assume(laneAt(sums[place / 4], place % 4) <= k * MAX_CAP);
        }
        (_sums[0], _sums[1]) = (sums[0], sums[1]);
        Lanes.add(_sums, bids, MODELS, cap);
        assert(laneAt(_sums[0], 0) == k + 1);
        assert(laneAt(_sums[1], 3) == 0);
        for (uint256 place = 1; place <= MODELS; ++place) {
            uint256 sum = laneAt(_sums[place / 4], place % 4);
            uint256 bid = laneAt(bids[place / 4], place % 4);
            assert(bid <= cap);
            assert(sum == laneAt(sums[place / 4], place % 4) + bid);
            assert(sum <= (k + 1) * MAX_CAP);
        }
    }

    /// @custom:halmos --array-lengths bids=2
    function check_add__bidsWithinCaps__areTaken(uint256[] calldata bids, uint256 cap) external {
        assume(cap <= MAX_CAP);
        assume(laneAt(bids[0], 0) == 0 && laneAt(bids[1], 3) == 0);
        for (uint256 place = 1; place <= MODELS; ++place) {
            assume(laneAt(bids[place / 4], place % 4) <= cap);
        }
        try this.add(bids, cap) {}
        catch {
            assert(false);
        }
    }

    /// @notice The selection: of the live models with a positive score none has a larger one, and none before it as large a one. Bounded:
    /// three models, whose sums are in one word.
    function check_best__anySums__isTheFirstOfTheLargestLiveScores(
        uint256 values,
        uint256 costs,
        uint256 live,
        uint32 stations
    ) external {
        assume(stations > 1);
        (_sums[0], _costs[0]) = (values, costs);
        (uint256 selected, uint256 score) = Lanes.best(_sums, _costs, 3, live, stations);
        unchecked {
            for (uint256 m; m < 3; ++m) {
                uint256 value = (uint256(stations) - 1) * laneAt(values, m + 1);
                uint256 cost = uint256(stations) * laneAt(costs, m + 1);
                bool positive = (live >> m) & 1 == 1 && value > cost;
                if (positive) assert(value - cost <= score && (value - cost < score || selected <= m));
                if (m == selected && score != 0) assert(positive && value - cost == score);
            }
        }
    }

    function add(uint256[] calldata bids, uint256 cap) external {
        Lanes.add(_sums, bids, MODELS, cap);
    }
}
