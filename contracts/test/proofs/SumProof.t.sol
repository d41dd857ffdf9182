// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../../ClarkeTax.sol";
import {Proof} from "./Proof.t.sol";

/// @title What all shares of a side add up to
/// @notice A share is a numerator `p · base − coefficient · claim`, divided and rounded. The numerators add up to what the total payment
/// makes of the denominator, and rounding never takes from the owners' sum, never adds to the base stations'.
contract SumProof is Proof {
    uint256 private constant Q = ClarkeTax.Q;

    // ──────────────────────────────────────────── numerators ───────────────────────────────────────────

    /// @notice One step of an induction over the members of a side: the numerators of members with `points` in all, whose claims add up
    /// to `claims`, are `points · base − coefficient · claims`. (The sum of points times claims where points differ: the coefficient is
    /// 0 then.)
    function check_numerators__oneMemberMore__sumStaysInForm(
        uint256 base,
        uint256 coefficient,
        uint256 points,
        uint256 claims,
        uint256 p,
        uint256 claim
    ) external pure {
        unchecked {
            uint256 sum = points * base - coefficient * claims;
            sum += ClarkeTax.share(p, base, coefficient, claim, 1, 0);
            assert(sum == (points + p) * base - coefficient * (claims + claim));
        }
    }

    /// @dev The total payment `K̂ + θ (V − K̂)` with `K̂ = n_B K / (n_B − 1)`, times Q (n_B − 1).
    function payment(uint256 t, uint256 stations, uint256 values, uint256 costs) private pure returns (uint256) {
        unchecked {
            return (Q - t) * stations * costs + t * (stations - 1) * values;
        }
    }

    /// @notice With all owners in, their points n in all: the payment.
    function check_numerators__allEqualOwners__areThePayment(
        uint256 t,
        uint256 n,
        uint256 stations,
        uint256 values,
        uint256 costs
    ) external pure {
        unchecked {
            (ClarkeTax.Book memory book, uint256 base) = opened(true, t, [n, stations, n], values, costs);
            uint256 sum = n * base - book.coefficient * values;
            assert(sum == n * (n - 1) * payment(t, stations, values, costs));
            assert(book.denominator == n * (n - 1) * (Q * (stations - 1)));
        }
    }

    /// @notice With all owners in, whatever their points: the payment, which under capability (θ = 0) is the estimated cost.
    function check_numerators__allWeightedOwners__areThePayment(
        uint256 n,
        uint256 total,
        uint256 stations,
        uint256 values,
        uint256 costs
    ) external pure {
        unchecked {
            (ClarkeTax.Book memory book, uint256 base) = opened(true, 0, [n, stations, total], values, costs);
            assert(book.coefficient == 0);
            assert(total * base == total * (n - 1) * payment(0, stations, values, costs));
            assert(book.denominator == total * (n - 1) * (Q * (stations - 1)));
        }
    }

    /// @notice All base stations but the claimant, whose claims are K, together with what `claimantShare` divides (with the
    /// denominators made the same): the payment.
    function check_numerators__allStationsAndTheClaimant__areThePayment(
        uint256 t,
        uint256 n,
        uint256 values,
        uint256 costs
    ) external pure {
        unchecked {
            (ClarkeTax.Book memory book, uint256 base) = opened(false, t, [uint256(2), n, 2], values, costs);
            uint256 sum = (n - 1) * base - book.coefficient * costs;
            uint256 claimants = (Q - t) * n * costs + t * (n - 1) * values;
            assert((n - 1) * sum + (n - 2) * claimants == n * (n - 2) * payment(t, n, values, costs));
            assert(book.denominator == Q * n * (n - 2));
            uint256 denominator = Q * n * (n - 1);
            assert(ClarkeTax.claimantShare(t, n, values, costs) == claimants / denominator);
        }
    }

    /// @param counts owners, base stations, points in all
    function opened(bool owners, uint256 t, uint256[3] memory counts, uint256 values, uint256 costs)
        private
        pure
        returns (ClarkeTax.Book memory book, uint256 base)
    {
        unchecked {
            (uint256 valueFactor, uint256 costFactor) =
                ClarkeTax.setWeights(book, owners, t, counts[0], counts[1], counts[2]);
            base = valueFactor * values + costFactor * costs;
        }
    }

    // ───────────────────────────────────────────── rounding ────────────────────────────────────────────

    /// @notice A numerator lies less than a denominator below the next multiple, `quotient · d`: that is an owner's share, and a tax.
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
