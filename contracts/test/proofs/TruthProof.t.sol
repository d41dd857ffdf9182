// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title No bid is better than the truth, to the wei, whatever all others bid and however many they are
/// @notice In steps that a solver can take. A member's bid moves its share and its tax by the selection alone (here, with a share that
/// it does not move: `ShareProof`). Its utility, value less share and tax, is its true score of the selected model less what the others
/// could have (`best` in `TaxProof`, of which its bid is no part), in units of its weight and rounded down. So a selection of smaller
/// score is never worth more, and the truth makes the largest score the selected one: `LanesProof.check_best`.
contract TruthProof is Proof {
    /// @param size the side's weight without its sign, the other side's is one more or less
    /// @param others the sum of the side's other claims, gwei
    /// @param outside the sum of the other side's claims, gwei
    struct Inputs {
        uint32 size;
        uint64 others;
        uint64 outside;
        uint256 share;
        uint256 selected;
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_ownBid__owner__movesNothingButTheSelection(
        Inputs calldata inputs,
        uint256[] calldata truth,
        uint256[] calldata lie
    ) external pure {
        assertSame(settled(inputs, true, truth), settled(inputs, true, lie));
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_ownBid__station__movesNothingButTheSelection(
        Inputs calldata inputs,
        uint256[] calldata truth,
        uint256[] calldata lie
    ) external pure {
        assertSame(settled(inputs, false, truth), settled(inputs, false, lie));
    }

    /// @dev Share and tax of a member with that bid for the only model, which is selected or not.
    function settled(Inputs calldata inputs, bool owner, uint256[] calldata bids)
        private
        pure
        returns (uint256[] memory shareAndTax)
    {
        assume(inputs.size > 1);
        unchecked {
            uint256 size = inputs.size;
            int256 own = int256((inputs.others + Lanes.bidAt(bids, 0, 0)) * 1 gwei);
            int256 outside = int256(inputs.outside * uint256(1 gwei));
            ClarkeTax.Book memory book;
            (book.selected, book.capPerPoint, book.denominator) = (inputs.selected, type(uint256).max, 1);
            book.weight = owner ? int256(size) : -int256(size);
            int256 score = owner
                ? own * int256(size) - outside * int256(size + 1)
                : outside * int256(size - 1) - own * int256(size);
            book.rows = new uint256[](2);
            (book.rows[0], book.rows[1]) = (uint256(score), inputs.share);
            shareAndTax = new uint256[](2);
            (shareAndTax[0], shareAndTax[1]) = ClarkeTax.shareAndTax(book, 1, bids, 0);
        }
    }

    /// @notice A tax rounds what the others miss up, `best − A = w · tax − gap` with a gap below w. So w times the utility, and the gap,
    /// are the true score less `best`. (A base station's surplus is its share less its cost: the same with its weight's sign.)
    function check_utility__anyTax__isTheScoreLessTheBest(int256 w, int256 best, int256 tax, int256 gap, int256 surplus)
        external
        pure
    {
        unchecked {
            int256 others = best - (w * tax - gap);
            int256 score = others + w * surplus;
            assert(score - best == w * (surplus - tax) + gap);
        }
    }

    /// @notice Where utility is `more + 1` wei larger, the score is larger, whatever is rounded. (Scores are below 2^162: no difference of
    /// them wraps around.)
    function check_utility__larger__hasALargerScore(uint32 w, uint32 gap, uint32 otherGap, int128 utility, uint128 more)
        external
        pure
    {
        assume(gap < w && otherGap < w);
        unchecked {
            int256 size = int256(uint256(w));
            int256 score = size * utility + int256(uint256(gap));
            int256 larger = size * (utility + int256(uint256(more)) + 1) + int256(uint256(otherGap));
            uint256 product = uint256(w) * more;
            assume(product < 2 ** 160); // as 32 bits times 128 are: what the solver takes long to find out
            assert(larger - score == int256(product) + size + int256(uint256(otherGap)) - int256(uint256(gap)));
            assert(product + w + otherGap > gap);
        }
    }
}
