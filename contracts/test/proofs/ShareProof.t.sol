// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Proof} from "./Proof.t.sol";

/// @title A share does not depend on its member's own claim, for any others' sums and any number of members
/// @notice The sums contain the own claim, as the base that `Settlement.openBook` makes of them does. Modulo 2^256, like the code.
contract ShareProof is Proof {
    /// @param points those of the member, and of all owners
    struct Side {
        bool owners;
        uint256 t;
        uint256[2] counts;
        uint256[2] points;
    }

    /// @dev Of a member that claims `claim` where all other claims of its side add up to `others`, those of the other side to `outside`.
    function shareOf(Side memory s, uint256 outside, uint256 others, uint256 claim) private pure returns (uint256) {
        unchecked {
            ClarkeTax.Book memory book;
            (uint256 valueFactor, uint256 costFactor) =
                ClarkeTax.setWeights(book, s.owners, s.t, s.counts[0], s.counts[1], s.points[1]);
            (uint256 values, uint256 costs) = s.owners ? (others + claim, outside) : (outside, others + claim);
            uint256 base = valueFactor * values + costFactor * costs;
            uint256 rounding = s.owners ? book.denominator - 1 : 0;
            return ClarkeTax.share(s.points[0], base, book.coefficient, claim, book.denominator, rounding);
        }
    }

    function check_share__equalOwner__isTheSameWhateverItBids(
        uint256 t,
        uint256[2] calldata counts,
        uint256 total,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        Side memory side = Side(true, t, counts, [1, total]);
        assert(shareOf(side, outside, others, claim) == shareOf(side, outside, others, lie));
    }

    /// @notice Under capability θ is 0.
    function check_share__weightedOwner__isTheSameWhateverItBids(
        uint256[2] calldata counts,
        uint256[2] calldata points,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        Side memory side = Side(true, 0, counts, points);
        assert(shareOf(side, outside, others, claim) == shareOf(side, outside, others, lie));
    }

    function check_share__station__isTheSameWhateverItBids(
        uint256 t,
        uint256[2] calldata counts,
        uint256 total,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        Side memory side = Side(false, t, counts, [1, total]);
        assert(shareOf(side, outside, others, claim) == shareOf(side, outside, others, lie));
    }
}
