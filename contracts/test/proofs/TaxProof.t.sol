// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title A tax is the pivot rule's and never negative, and no owner's share is above its cap, whatever is bid
/// @notice Bounded: two models. Each A (the others' claims less their shares, in units of the side's weight) is any number within
/// 2^230 of 0. Any model or none is selected; bases, coefficient, denominator and points are any numbers.
contract TaxProof is Proof {
    /// @param size the side's weight without its sign
    struct Inputs {
        uint32 points;
        uint256 selected;
        uint32 size;
        uint256 coefficient;
        uint256 denominator;
        uint256 capPerPoint;
        uint256[2] bases;
        int256[2] others;
    }

    /// @custom:halmos --array-lengths bids=1
    function check_tax__owner__isThePivotRules(Inputs calldata inputs, uint256[] calldata bids) external pure {
        isThePivotRules(inputs, true, bids);
    }

    /// @custom:halmos --array-lengths bids=1
    function check_tax__station__isThePivotRules(Inputs calldata inputs, uint256[] calldata bids) external pure {
        isThePivotRules(inputs, false, bids);
    }

    function isThePivotRules(Inputs calldata inputs, bool owner, uint256[] calldata bids) private pure {
        assume(inputs.size != 0);
        unchecked {
            uint256 size = inputs.size;
            uint256 points = owner ? inputs.points : 1;
            ClarkeTax.Book memory book;
            (book.selected, book.capPerPoint) = (inputs.selected, inputs.capPerPoint);
            (book.coefficient, book.denominator) = (inputs.coefficient, inputs.denominator);
            book.weight = owner ? int256(size) : -int256(size);
            book.rows = new uint256[](4);
            uint256[2] memory amounts;
            for (uint256 m; m < 2; ++m) {
                assume(inputs.others[m] > -(2 ** 230) && inputs.others[m] < 2 ** 230);
                uint256 claim = Lanes.bidAt(bids, 0, m) * 1 gwei;
                amounts[m] = amountOf(book, points, inputs.bases[m], claim);
                // The score E of which A = E + weight · (share − claim).
                book.rows[m] = uint256(inputs.others[m] - book.weight * int256(amounts[m] - claim));
                book.rows[2 + m] = inputs.bases[m];
            }
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(book, points, bids, 0);
            int256 best;
            if (inputs.others[0] > best) best = inputs.others[0];
            if (inputs.others[1] > best) best = inputs.others[1];
            uint256 selected = inputs.selected;
            int256 missed = best - (selected < 2 ? inputs.others[selected] : int256(0));
            assert(missed >= 0);
            assert(share == (selected < 2 ? amounts[selected] : 0));
            assert(tax == (uint256(missed) + size - 1) / size);
            if (owner && selected < 2) assert(share <= points * inputs.capPerPoint);
        }
    }

    /// @dev A share, an owner's cut to its cap.
    function amountOf(ClarkeTax.Book memory book, uint256 points, uint256 base, uint256 claim)
        private
        pure
        returns (uint256 amount)
    {
        unchecked {
            uint256 d = book.denominator;
            amount = ClarkeTax.share(points, base, book.coefficient, claim, d, book.weight > 0 ? d - 1 : 0);
            if (book.weight > 0 && amount > points * book.capPerPoint) amount = points * book.capPerPoint;
        }
    }
}
