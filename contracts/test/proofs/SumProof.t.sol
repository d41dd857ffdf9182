// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Proof} from "./Proof.t.sol";

/// @title What all shares of a side add up to
/// @notice A share is a numerator `p · (base − coefficient · own)`, divided and rounded. The numerators add up to what the payment
/// makes of the denominator, and rounding never takes from the owners' sum, never adds to the base stations'.
contract SumProof is Proof {
    uint256 private constant Q = ClarkeTax.Q;

    // ──────────────────────────────────────────── numerators ───────────────────────────────────────────

    /// @notice One step of an induction over the members of a side: the numerators of members with `points` in all, whose own terms
    /// times their points add up to `owns`, are `points · base − coefficient · owns`.
    function check_numerators__oneMemberMore__sumStaysInForm(
        uint256 base,
        uint256 coefficient,
        uint256 points,
        uint256 owns,
        uint256 p,
        uint256 own
    ) external pure {
        unchecked {
            uint256 sum = points * base - coefficient * owns;
            sum += ClarkeTax.share(p, base, coefficient, own, 1, 0);
            assert(sum == (points + p) * base - coefficient * (owns + p * own));
        }
    }

    /// @notice With all members of the side in: n (n − 1) times the payment (Q−t) K + t V, for any n.
    function check_numerators__allEqualOwners__areThePayment(uint256 t, uint256 n, uint256 values, uint256 costs)
        external
        pure
    {
        equalNumerators(true, t, n, values, costs);
    }

    function check_numerators__allEqualStations__areThePayment(uint256 t, uint256 n, uint256 values, uint256 costs)
        external
        pure
    {
        equalNumerators(false, t, n, values, costs);
    }

    function equalNumerators(bool owners, uint256 t, uint256 n, uint256 values, uint256 costs) private pure {
        unchecked {
            ClarkeTax.Book memory book;
            book.owners = owners;
            uint256 otherFactor = ClarkeTax.setWeights(book, t, n);
            (uint256 own, uint256 other) = owners ? (values, costs) : (costs, values);
            uint256 base = otherFactor * other + book.coefficient * own;
            assert(n * base - book.coefficient * own == n * (n - 1) * ((Q - t) * costs + t * values));
            assert(book.denominator == Q * (n * (n - 1)));
        }
    }

    /// @notice Two weighted members: Σp times the other side's part of the payment, and of the own side's what its rounded terms make
    /// of the claims (`term · rest` is `claim · Σp`, rounded).
    function check_numerators__twoWeightedOwners__areThePayment(
        uint256 t,
        uint256[2] calldata p,
        uint256[2] calldata claims,
        uint256 costs
    ) external pure {
        weightedNumerators(true, t, p, claims, costs);
    }

    function check_numerators__twoWeightedStations__areThePayment(
        uint256 t,
        uint256[2] calldata p,
        uint256[2] calldata claims,
        uint256 values
    ) external pure {
        weightedNumerators(false, t, p, claims, values);
    }

    function weightedNumerators(
        bool owners,
        uint256 t,
        uint256[2] calldata p,
        uint256[2] calldata claims,
        uint256 outside
    ) private pure {
        unchecked {
            ClarkeTax.Book memory book;
            (book.owners, book.weighted, book.total) = (owners, true, p[0] + p[1]);
            uint256 otherFactor = ClarkeTax.setWeights(book, t, 2);
            // The rest of one is the other's points.
            uint256 first = ClarkeTax.term(claims[0], book.total, p[1], owners ? p[1] - 1 : 0);
            uint256 second = ClarkeTax.term(claims[1], book.total, p[0], owners ? p[0] - 1 : 0);
            uint256 base = otherFactor * outside + book.coefficient * (first + second);
            uint256 sum = ClarkeTax.share(p[0], base, book.coefficient, first, 1, 0)
                + ClarkeTax.share(p[1], base, book.coefficient, second, 1, 0);
            (uint256 part, uint256 otherPart) = owners ? (t, Q - t) : (Q - t, t);
            assert(sum == book.total * otherPart * outside + part * (first * p[1] + second * p[0]));
            assert(book.denominator == Q * book.total);
        }
    }

    // ───────────────────────────────────────────── rounding ────────────────────────────────────────────

    /// @notice A numerator lies less than a denominator below the next multiple, `quotient · d`: that is an owner's share.
    function check_share__owner__isRoundedUp(uint128 quotient, uint256 gap, uint120 denominator) external pure {
        uint256 d = denominator;
        assume(d > gap && gap <= quotient * d);
        unchecked {
            divides(quotient, d, d - 1 - gap);
            assert(ClarkeTax.share(1, quotient * d - gap, 0, 0, d, d - 1) == quotient);
        }
    }

    /// @notice It lies less than a denominator above the last multiple: that is a base station's.
    function check_share__station__isRoundedDown(uint128 quotient, uint256 remainder, uint120 denominator)
        external
        pure
    {
        uint256 d = denominator;
        assume(d > remainder);
        unchecked {
            divides(quotient, d, remainder);
            assert(ClarkeTax.share(1, quotient * d + remainder, 0, 0, d, 0) == quotient);
        }
    }

    /// @dev What a division is, `(q d + r) / d = q` for r < d: to the solver it is just a function.
    function divides(uint256 quotient, uint256 d, uint256 remainder) private pure {
        unchecked {
            assume((quotient * d + remainder) / d == quotient);
        }
    }
}
