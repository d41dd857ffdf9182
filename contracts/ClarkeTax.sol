// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "./Lanes.sol";
import {Words} from "./Words.sol";

/// @title Shares and Clarke taxes
/// @notice The arithmetic of the mechanism, pure. Everything is wei; Q = 2^64 and θ = t / Q.
///
/// Every member's share is worked out from everybody's claims but its own (V, K: sums of the owners' and base stations' claims at a
/// model; T: the sum of the terms `claim · Σp / (Σp − p)` of its side; n members on the side):
///
///     owner        c = p / Σp · [(1−θ) · K          + θ · (T − own term)]
///     base station r = p / Σp · [(1−θ) · (T − own term) + θ · V         ]
///
/// Under equal weights `T − own term = n (S − own claim) / (n − 1)`, S the side's sum. So every share has one form,
///
///     share = p · (base − coefficient · own) / denominator,   rounded up for owners, down for base stations,
///
///     equal     own = claim  owner:   base = (Q−t)(n−1) K + t n V      coefficient = t n      denominator = Q n (n−1)
///                            station: base = (Q−t) n K + t (n−1) V     coefficient = (Q−t) n
///     weighted  own = term   owner:   base = (Q−t) K + t T             coefficient = t        denominator = Q Σp
///                            station: base = (Q−t) T + t V             coefficient = Q−t
///
/// An owner's share is cut to `p · maxOwnerBid`. At a selected model the exact share is never above that, only its rounding.
///
/// The tax is Clarke's pivot rule over both sides at once, with A the others' claims less their shares:
///
///     tax = max(0, max over live models of A) − A at the selected model,   A = D − u + s   (0 where nothing is selected)
///
/// u: own claim (+value, −cost), s: own share (+c, −r), D = V − K.
library ClarkeTax {
    using Words for uint256[];

    uint256 internal constant Q = 2 ** 64;
    /// @dev What all contributions add up to.
    uint256 internal constant CONTRIBUTION_POINTS = 1_000_000;
    /// @dev "Nothing is selected".
    uint256 internal constant NONE = type(uint256).max;
    /// @dev The margin of a model that takes no part: below all others, whatever a share adds to it.
    int256 internal constant DEAD = -(2 ** 200);

    /// @notice What one side's shares and taxes are worked out from.
    /// @param owners whether it is the owners' side
    /// @param weighted whether shares are by points
    /// @param selected the selected model, or NONE
    /// @param total Σp; only read where the side is weighted
    /// @param coefficient what an own claim or term is multiplied by in a share (see above)
    /// @param denominator of a share (see above)
    /// @param capPerPoint the largest share a point (owners), so that a bounded lock is enough
    /// @param rows for each model the margin D (int256) and the base of the side's shares, uint256[2 M]
    struct Book {
        bool owners;
        bool weighted;
        uint256 selected;
        uint256 total;
        uint256 coefficient;
        uint256 denominator;
        uint256 capPerPoint;
        uint256[] rows;
    }

    /// @notice The term of a claim: `claim · total / rest` with `rest = total − points`.
    /// @param rounding `rest − 1` to round up (owners), 0 to round down (base stations)
    /// @dev The side has a second member, so `rest` is positive. Below 2^107 for a claim below 2^74.
    function term(uint256 claim, uint256 total, uint256 rest, uint256 rounding) internal pure returns (uint256) {
        unchecked {
            return (claim * total + rounding) / rest;
        }
    }

    /// @notice `points · (base − coefficient · own) / denominator`, rounded up for owners, down for base stations.
    /// @param rounding `denominator − 1` to round up, 0 to round down
    /// @dev Terms sum to less than 2^127, bases to less than 2^192, points are below 2^32: nothing overflows. `base` contains
    /// `coefficient · own`, as the sums contain the own claim.
    function share(
        uint256 points,
        uint256 base,
        uint256 coefficient,
        uint256 own,
        uint256 denominator,
        uint256 rounding
    ) internal pure returns (uint256) {
        unchecked {
            return (points * (base - coefficient * own) + rounding) / denominator;
        }
    }

    /// @notice Fills in the coefficient and the denominator of a side's shares, from `owners`, `weighted` and `total`.
    /// @param t θ's numerator
    /// @param members n, at least 2
    /// @return otherFactor what the other side's sum is multiplied by in the base of a share
    function setWeights(Book memory book, uint256 t, uint256 members) internal pure returns (uint256 otherFactor) {
        unchecked {
            otherFactor = book.owners ? Q - t : t;
            uint256 own = Q - otherFactor;
            if (book.weighted) {
                book.coefficient = own;
                book.denominator = Q * book.total;
            } else {
                book.coefficient = own * members;
                book.denominator = Q * members * (members - 1);
                otherFactor *= members - 1;
            }
        }
    }

    /// @notice A member's share at the selected model (0 where none is) and its Clarke tax.
    /// @param points p under weights, else 1
    /// @param bids the member's packed bids from `bids[from]` on
    /// @dev A = D − u + s is D + (share − claim) for an owner and D − (share − claim) for a base station.
    function shareAndTax(Book memory book, uint256 points, uint256[] calldata bids, uint256 from)
        internal
        pure
        returns (uint256 shareAtSelected, uint256 tax)
    {
        unchecked {
            // What the loop reads is kept on the stack.
            uint256[] memory rows = book.rows;
            uint256 models = rows.length / 2;
            uint256 selected = book.selected;
            uint256 coefficient = book.coefficient;
            uint256 denominator = book.denominator;
            bool owner = book.owners;
            uint256 largestShare = owner ? points * book.capPerPoint : type(uint256).max;
            uint256 rounding = owner ? denominator - 1 : 0;
            // Under equal weights a claim is its own term: claim · 1 / 1.
            (uint256 total, uint256 rest) = book.weighted ? (book.total, book.total - points) : (1, 1);
            uint256 termRounding = owner ? rest - 1 : 0;
            uint256 sign = owner ? 1 : type(uint256).max;
            int256 best; // max(0, …): the alternative that nothing is trained
            int256 atSelected;
            for (uint256 m; m < models; ++m) {
                uint256 claim = Lanes.bidAt(bids, from, m) * 1 gwei;
                uint256 own = term(claim, total, rest, termRounding);
                uint256 amount = share(points, rows.get(2 * m + 1), coefficient, own, denominator, rounding);
                if (amount > largestShare) amount = largestShare;
                int256 others = int256(rows.get(2 * m) + sign * (amount - claim));
                if (others > best) best = others;
                if (m == selected) (shareAtSelected, atSelected) = (amount, others);
            }
            tax = uint256(best - atSelected);
        }
    }

    /// @notice A base station's reward by contribution: `f · [(1−θ) · (T − own term) + θ · V]` with f = points / 10^6, rounded down.
    /// @param termsSum T: every base station's `contributionTerm`, summed
    /// @param ownTerm the member's own
    function contributionReward(uint256 t, uint256 points, uint256 termsSum, uint256 ownTerm, uint256 value)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            return points * ((Q - t) * (termsSum - ownTerm) + t * value) / (CONTRIBUTION_POINTS * Q);
        }
    }

    /// @notice `claim / (1 − f)` with f = points / 10^6, rounded down; the plain claim for 0 points.
    function contributionTerm(uint256 claim, uint256 points) internal pure returns (uint256) {
        unchecked {
            return claim * CONTRIBUTION_POINTS / (CONTRIBUTION_POINTS - points);
        }
    }
}
