// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title No bid is better than the truth, to the wei, whatever all others bid
/// @notice Bounded: one model. Told the truth it is trained exactly if its margin is positive; told a lie it is trained or not, whatever
/// the margin says. A member's utility is its value less its share and its tax, or its reward less its cost and its tax. Utilities are
/// compared by their difference: where margins and shares are below 2^200 none reaches 2^255.
contract TruthProof is Proof {
    /// @param margin of the model when the member tells the truth
    /// @param base without the own claim or term
    struct Others {
        uint32 points;
        uint256 total;
        uint256 coefficient;
        uint256 denominator;
        uint256 capPerPoint;
        int256 margin;
        uint256 base;
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__equalOwner__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        bool trained
    ) external pure {
        truthIsBest(others, true, false, truth, lie, trained);
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__equalStation__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        bool trained
    ) external pure {
        truthIsBest(others, false, false, truth, lie, trained);
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__weightedOwner__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        bool trained
    ) external pure {
        truthIsBest(others, true, true, truth, lie, trained);
    }

    /// @custom:halmos --array-lengths truth=1,lie=1
    function check_truth__weightedStation__noBidIsBetter(
        Others calldata others,
        uint256[] calldata truth,
        uint256[] calldata lie,
        bool trained
    ) external pure {
        truthIsBest(others, false, true, truth, lie, trained);
    }

    function truthIsBest(
        Others calldata others,
        bool owner,
        bool weighted,
        uint256[] calldata truth,
        uint256[] calldata lie,
        bool trained
    ) private pure {
        assume(others.margin > -(2 ** 200) && others.margin < 2 ** 200);
        unchecked {
            int256 claim = int256(Lanes.bidAt(truth, 0, 0) * 1 gwei);
            int256 best = utility(others, owner, weighted, truth, claim, others.margin > 0);
            assert(best - utility(others, owner, weighted, lie, claim, trained) >= 0);
        }
    }

    function utility(
        Others calldata others,
        bool owner,
        bool weighted,
        uint256[] calldata bids,
        int256 claim,
        bool trained
    ) private pure returns (int256) {
        unchecked {
            ClarkeTax.Book memory book;
            (book.owners, book.weighted, book.total) = (owner, weighted, others.total);
            (book.coefficient, book.denominator) = (others.coefficient, others.denominator);
            (book.capPerPoint, book.selected) = (others.capPerPoint, trained ? 0 : ClarkeTax.NONE);
            uint256 points = weighted ? others.points : 1;
            uint256 bid = Lanes.bidAt(bids, 0, 0) * 1 gwei;
            (uint256 total, uint256 rest) = weighted ? (others.total, others.total - points) : (1, 1);
            uint256 own = ClarkeTax.term(bid, total, rest, owner ? rest - 1 : 0);
            book.rows = new uint256[](2);
            int256 more = int256(bid) - claim;
            book.rows[0] = uint256(owner ? others.margin + more : others.margin - more);
            book.rows[1] = others.base + others.coefficient * own;
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(book, points, bids, 0);
            int256 surplus = trained ? claim - int256(share) : int256(0);
            return (owner ? surplus : -surplus) - int256(tax);
        }
    }
}
