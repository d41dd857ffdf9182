// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title A tax is the pivot rule's and never negative, whatever is bid
/// @notice Bounded: two models. Each A (the others' claims less their shares) is any number within 2^230 of 0: no margin, a dead model's
/// included, leads further together with a share below 2^224. Any model or none is selected; bases and factors are any numbers.
contract TaxProof is Proof {
    struct Inputs {
        uint32 points;
        uint256 total;
        uint256 selected;
        uint256 coefficient;
        uint256 denominator;
        uint256 capPerPoint;
        uint256[2] bases;
        int256[2] others;
    }

    /// @custom:halmos --array-lengths bids=1
    function check_tax__equalOwner__isThePivotRules(Inputs calldata inputs, uint256[] calldata bids) external pure {
        isThePivotRules(inputs, true, false, bids);
    }

    /// @custom:halmos --array-lengths bids=1
    function check_tax__equalStation__isThePivotRules(Inputs calldata inputs, uint256[] calldata bids) external pure {
        isThePivotRules(inputs, false, false, bids);
    }

    /// @custom:halmos --array-lengths bids=1
    function check_tax__weightedOwner__isThePivotRules(Inputs calldata inputs, uint256[] calldata bids) external pure {
        isThePivotRules(inputs, true, true, bids);
    }

    /// @custom:halmos --array-lengths bids=1
    function check_tax__weightedStation__isThePivotRules(Inputs calldata inputs, uint256[] calldata bids)
        external
        pure
    {
        isThePivotRules(inputs, false, true, bids);
    }

    function isThePivotRules(Inputs calldata inputs, bool owner, bool weighted, uint256[] calldata bids) private pure {
        unchecked {
            ClarkeTax.Book memory book;
            (book.owners, book.weighted, book.selected, book.total) = (owner, weighted, inputs.selected, inputs.total);
            (book.coefficient, book.denominator) = (inputs.coefficient, inputs.denominator);
            book.capPerPoint = inputs.capPerPoint;
            book.rows = new uint256[](4);
            uint256 points = weighted ? inputs.points : 1;
            uint256[2] memory amounts;
            for (uint256 m; m < 2; ++m) {
                assume(inputs.others[m] > -(2 ** 230) && inputs.others[m] < 2 ** 230);
                uint256 claim = Lanes.bidAt(bids, 0, m) * 1 gwei;
                amounts[m] = amountOf(book, points, inputs.bases[m], claim);
                // The margin D of which A = D − u + s.
                int256 gain = int256(amounts[m] - claim);
                book.rows[2 * m] = uint256(owner ? inputs.others[m] - gain : inputs.others[m] + gain);
                book.rows[2 * m + 1] = inputs.bases[m];
            }
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(book, points, bids, 0);
            int256 best;
            if (inputs.others[0] > best) best = inputs.others[0];
            if (inputs.others[1] > best) best = inputs.others[1];
            uint256 selected = inputs.selected;
            assert(share == (selected < 2 ? amounts[selected] : 0));
            assert(int256(tax) == best - (selected < 2 ? inputs.others[selected] : int256(0)));
            assert(int256(tax) >= 0);
        }
    }

    /// @dev A share, an owner's cut to its cap.
    function amountOf(ClarkeTax.Book memory book, uint256 points, uint256 base, uint256 claim)
        private
        pure
        returns (uint256 amount)
    {
        unchecked {
            uint256 own = claim;
            if (book.weighted) {
                uint256 rest = book.total - points;
                own = ClarkeTax.term(claim, book.total, rest, book.owners ? rest - 1 : 0);
            }
            uint256 d = book.denominator;
            amount = ClarkeTax.share(points, base, book.coefficient, own, d, book.owners ? d - 1 : 0);
            if (book.owners && amount > points * book.capPerPoint) amount = points * book.capPerPoint;
        }
    }
}
