// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title A tax is the pivot rule's and never negative, and no owner's share is above its cap, whatever is bid
/// @notice Bounded: two models. The scores E are any numbers for which each A (the others' claims less their shares, in units of the
/// side's weight) lies within 2^230 of 0. Any model or none is selected. A share before its cut is any number (a base over the
/// denominator 1): `ShareProof` says what it depends on.
contract TaxProof is Proof {
    /// @param size the side's weight without its sign
    /// @param cap of an owner's share
    struct Inputs {
        uint256 selected;
        uint32 size;
        uint256 cap;
        uint256[2] shares;
        int256[2] scores;
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
            uint256 cap = inputs.cap;
            ClarkeTax.Book memory book;
            (book.selected, book.capPerPoint, book.denominator) = (inputs.selected, cap, 1);
            book.weight = owner ? int256(size) : -int256(size);
            book.rows = new uint256[](4);
            uint256[2] memory amounts;
            int256[2] memory others;
            for (uint256 m; m < 2; ++m) {
                (book.rows[m], book.rows[2 + m]) = (uint256(inputs.scores[m]), inputs.shares[m]);
                amounts[m] = owner && inputs.shares[m] > cap ? cap : inputs.shares[m];
                uint256 claim = Lanes.bidAt(bids, 0, m) * 1 gwei;
                // To the solver a product of unknowns is just a function: in this order it is the code's.
                others[m] = inputs.scores[m] + int256(amounts[m] - claim) * book.weight;
                assume(others[m] > -(2 ** 230) && others[m] < 2 ** 230);
            }
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(book, 1, bids, 0);
            int256 best;
            if (others[0] > best) best = others[0];
            if (others[1] > best) best = others[1];
            uint256 selected = inputs.selected;
            int256 atSelected = selected < 2 ? others[selected] : int256(0);
            // Never negative: both are within 2^230 of 0, so the difference below is exact.
            assert(best >= atSelected);
            assert(share == (selected < 2 ? amounts[selected] : 0));
            assert(tax == (uint256(best - atSelected) + size - 1) / size);
            if (owner) assert(share <= cap);
        }
    }
}
