// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Lanes} from "../../Lanes.sol";
import {Proof} from "./Proof.t.sol";

/// @title A tax is the pivot rule's and never negative, and no owner's share is above its cap, whatever is bid
/// @notice Bounded: two models. Each A (the others' claims less their shares, in units of the side's weight) is any number within
/// 2^230 of 0. Any model or none is selected. A share before its cut is any number (a base over the denominator 1): `ShareProof` says
/// what it depends on.
contract TaxProof is Proof {
    /// @param size the side's weight without its sign
    /// @param cap of an owner's share
    struct Inputs {
        uint256 selected;
        uint32 size;
        uint256 cap;
        uint256[2] shares;
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
            uint256 cap = inputs.cap;
            ClarkeTax.Book memory book;
            (book.selected, book.capPerPoint, book.denominator) = (inputs.selected, cap, 1);
            book.weight = owner ? int256(size) : -int256(size);
            book.rows = new uint256[](4);
            uint256[2] memory amounts;
            for (uint256 m; m < 2; ++m) {
                assume(inputs.others[m] > -(2 ** 230) && inputs.others[m] < 2 ** 230);
                uint256 claim = Lanes.bidAt(bids, 0, m) * 1 gwei;
                amounts[m] = owner && inputs.shares[m] > cap ? cap : inputs.shares[m];
                // The score E of which A = E + weight · (share − claim).
                book.rows[m] = uint256(inputs.others[m] - book.weight * int256(amounts[m] - claim));
                book.rows[2 + m] = inputs.shares[m];
            }
            (uint256 share, uint256 tax) = ClarkeTax.shareAndTax(book, 1, bids, 0);
            int256 best;
            if (inputs.others[0] > best) best = inputs.others[0];
            if (inputs.others[1] > best) best = inputs.others[1];
            uint256 selected = inputs.selected;
            int256 missed = best - (selected < 2 ? inputs.others[selected] : int256(0));
            assert(missed >= 0);
            assert(share == (selected < 2 ? amounts[selected] : 0));
            assert(tax == (uint256(missed) + size - 1) / size);
            if (owner) assert(share <= cap);
        }
    }
}
