// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title No bid is better than the truth, to the wei, whatever all others bid
/// @notice Bounded: two models, three base stations (weights 2 and −3). Told the truth, the model of the larger positive score is
/// trained, the first on a tie, or none; told a lie, either or none, whatever the scores say. A member's utility is its value less its
/// share and its tax, or its reward less its cost and its tax. Its shares are any numbers that its bid does not move: so says `ShareProof`.
contract TruthProof is Proof {
    /// @param scores of the models when the member tells the truth
    struct Others {
        uint96[2] shares;
        int120[2] scores;
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__owner__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) external pure {
        truthIsBest(others, 2, truth, lie, selected);
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__station__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) external pure {
        truthIsBest(others, -3, truth, lie, selected);
    }

    function truthIsBest(
        Others calldata others,
        int256 weight,
        uint256[] calldata truth,
        uint256[] calldata lie,
        uint256 selected
    ) private pure {
        assume(selected < 2 || selected == ClarkeTax.NONE);
        (int256 first, int256 second) = (others.scores[0], others.scores[1]);
        uint256 best = first > 0 && first >= second ? 0 : second > 0 ? 1 : ClarkeTax.NONE;
        unchecked {
            int256 honest = utility(others, weight, truth, truth, best);
            assert(honest >= utility(others, weight, truth, lie, selected));
        }
    }

    /// @dev Of a member that claims `bids` where its costs or values are `truth`.
    function utility(
        Others calldata others,
        int256 weight,
        uint256[] calldata truth,
        uint256[] calldata bids,
        uint256 selected
    ) private pure returns (int256) {
        unchecked {
            ClarkeTax.Book memory book;
            (book.selected, book.weight, book.denominator) = (selected, weight, 1);
            book.capPerPoint = type(uint256).max;
            book.rows = new uint256[](4);
            for (uint256 m; m < 2; ++m) {
                int256 more = int256(Lanes.bidAt(bids, 0, m) * 1 gwei) - int256(Lanes.bidAt(truth, 0, m) * 1 gwei);
                book.rows[m] = uint256(others.scores[m] + weight * more);
                book.rows[2 + m] = others.shares[m];
            }
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(book, 1, bids, 0);
            if (selected == ClarkeTax.NONE) return -int256(tax);
            int256 surplus = int256(Lanes.bidAt(truth, 0, selected) * 1 gwei) - int256(share);
            return (weight > 0 ? surplus : -surplus) - int256(tax);
        }
    }
}
