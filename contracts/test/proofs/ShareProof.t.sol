// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Proof} from "./Proof.t.sol";

/// @title A share does not depend on its member's own claim, for any others' sums and any number of members
/// @notice The sums contain the own claim or term, as the base that `Settlement.openBook` makes of them does. Modulo 2^256, like the code.
contract ShareProof is Proof {
    /// @dev Of a member that claims `claim` where all other claims of its side add up to `others`, those of the other side to `outside`.
    function equalShare(bool owners, uint256 t, uint256 members, uint256 outside, uint256 others, uint256 claim)
        private
        pure
        returns (uint256)
    {
        unchecked {
            ClarkeTax.Book memory book;
            book.owners = owners;
            uint256 otherFactor = ClarkeTax.setWeights(book, t, members);
            uint256 base = otherFactor * outside + book.coefficient * (others + claim);
            uint256 rounding = owners ? book.denominator - 1 : 0;
            return ClarkeTax.share(1, base, book.coefficient, claim, book.denominator, rounding);
        }
    }

    /// @dev `others` are the others' terms here.
    function weightedShare(
        bool owners,
        uint256 t,
        uint256[2] calldata points,
        uint256 outside,
        uint256 others,
        uint256 claim
    ) private pure returns (uint256) {
        unchecked {
            ClarkeTax.Book memory book;
            (book.owners, book.weighted, book.total) = (owners, true, points[1]);
            uint256 otherFactor = ClarkeTax.setWeights(book, t, 2);
            uint256 rest = points[1] - points[0];
            uint256 term = ClarkeTax.term(claim, points[1], rest, owners ? rest - 1 : 0);
            uint256 base = otherFactor * outside + book.coefficient * (others + term);
            uint256 rounding = owners ? book.denominator - 1 : 0;
            return ClarkeTax.share(points[0], base, book.coefficient, term, book.denominator, rounding);
        }
    }

    function check_share__equalOwner__isTheSameWhateverItBids(
        uint256 t,
        uint256 members,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        assert(
            equalShare(true, t, members, outside, others, claim) == equalShare(true, t, members, outside, others, lie)
        );
    }

    function check_share__equalStation__isTheSameWhateverItBids(
        uint256 t,
        uint256 members,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        assert(
            equalShare(false, t, members, outside, others, claim) == equalShare(false, t, members, outside, others, lie)
        );
    }

    function check_share__weightedOwner__isTheSameWhateverItBids(
        uint256 t,
        uint256[2] calldata points,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        assert(
            weightedShare(true, t, points, outside, others, claim)
                == weightedShare(true, t, points, outside, others, lie)
        );
    }

    function check_share__weightedStation__isTheSameWhateverItBids(
        uint256 t,
        uint256[2] calldata points,
        uint256 outside,
        uint256 others,
        uint256 claim,
        uint256 lie
    ) external pure {
        assert(
            weightedShare(false, t, points, outside, others, claim)
                == weightedShare(false, t, points, outside, others, lie)
        );
    }
}
