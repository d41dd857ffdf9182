// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title No bid is better than the truth, to the wei, whatever all others bid
/// @notice Bounded: two models. Told the truth, that of the larger positive score is trained, the first on a tie, or none; told a lie,
/// either or none, whatever the scores say. A member's utility is its value less its share and its tax, or its reward less its cost and
/// its tax. Utilities are compared by their difference: where scores and shares are below 2^200 none reaches 2^255.
contract TruthProof is Proof {
    /// @param size the side's weight without its sign
    /// @param scores of the models when the member tells the truth
    /// @param bases without the own claim
    struct Others {
        uint32 points;
        uint32 size;
        uint256 coefficient;
        uint256 denominator;
        uint256 capPerPoint;
        int256[2] scores;
        uint256[2] bases;
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__equalOwner__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) external pure {
        truthIsBest(others, book(others, true, others.coefficient), 1, truth, lie, selected);
    }

    /// @notice Under capability no share contains an owner's claim.
    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__weightedOwner__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) external pure {
        truthIsBest(others, book(others, true, 0), others.points, truth, lie, selected);
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__station__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) external pure {
        truthIsBest(others, book(others, false, others.coefficient), 1, truth, lie, selected);
    }

    function book(Others calldata others, bool owner, uint256 coefficient)
        private
        pure
        returns (ClarkeTax.Book memory b)
    {
        (b.coefficient, b.denominator) = (coefficient, others.denominator);
        b.capPerPoint = others.capPerPoint;
        b.weight = owner ? int256(uint256(others.size)) : -int256(uint256(others.size));
        b.rows = new uint256[](4);
    }

    function truthIsBest(
        Others calldata others,
        ClarkeTax.Book memory b,
        uint256 points,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) private pure {
        assume(others.size != 0 && (selected < 2 || selected == ClarkeTax.NONE));
        unchecked {
            (int256 first, int256 second) = (others.scores[0], others.scores[1]);
            assume(first > -(2 ** 200) && first < 2 ** 200 && second > -(2 ** 200) && second < 2 ** 200);
            uint256 best = first > 0 && first >= second ? 0 : second > 0 ? 1 : ClarkeTax.NONE;
            int256 honest = utility(others, b, points, truth, truth, best);
            assert(honest - utility(others, b, points, truth, lie, selected) >= 0);
        }
    }

    /// @dev Of a member that claims `bids` where its costs or values are `truth`.
    function utility(
        Others calldata others,
        ClarkeTax.Book memory b,
        uint256 points,
        uint256[] calldata truth,
        uint256[] calldata bids,
        uint256 selected
    ) private pure returns (int256) {
        unchecked {
            for (uint256 m; m < 2; ++m) {
                uint256 bid = Lanes.bidAt(bids, 0, m) * 1 gwei;
                int256 more = int256(bid) - int256(Lanes.bidAt(truth, 0, m) * 1 gwei);
                b.rows[m] = uint256(others.scores[m] + b.weight * more);
                b.rows[2 + m] = others.bases[m] + b.coefficient * bid;
            }
            b.selected = selected;
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(b, points, bids, 0);
            if (selected == ClarkeTax.NONE) return -int256(tax);
            int256 surplus = int256(Lanes.bidAt(truth, 0, selected) * 1 gwei) - int256(share);
            return (b.weight > 0 ? surplus : -surplus) - int256(tax);
        }
    }
}
