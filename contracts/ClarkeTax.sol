// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "./Lanes.sol";
import {Role} from "./interfaces/IHCFL.sol";

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
    uint256 internal constant Q = 2 ** 64;
    /// @dev "Nothing is selected".
    uint256 internal constant NONE = type(uint256).max;

    /// @notice What one side's shares and taxes are worked out from.
    /// @param models number of models M
    /// @param live bit m: model m takes part
    /// @param selected the selected model, or NONE
    /// @param weighted whether `own` is a term, not a claim
    /// @param margins D of each model, int256[M]
    /// @param bases the share's base of each model, uint256[M]
    /// @param points Σp of the side
    /// @param capPerPoint the largest share a point (owners), so that a bounded lock is enough
    struct Book {
        Role role;
        bool weighted;
        uint256 models;
        uint256 live;
        uint256 selected;
        uint256 coefficient;
        uint256 denominator;
        uint256 points;
        uint256 capPerPoint;
        int256[] margins;
        uint256[] bases;
    }

    /// @notice The term of a claim: `claim · total / (total − points)`, rounded up for owners, down for base stations.
    /// @dev The side has a second member, so `points < total`. Below 2^107 for a claim below 2^74.
    function term(Role role, uint256 claim, uint256 points, uint256 total) internal pure returns (uint256) {
        unchecked {
            uint256 numerator = claim * total;
            uint256 rest = total - points;
            return role == Role.Owner ? (numerator + rest - 1) / rest : numerator / rest;
        }
    }

    /// @notice `points · (base − coefficient · own) / denominator`, rounded up for owners, down for base stations.
    /// @dev Terms sum to less than 2^127, bases to less than 2^192, points are below 2^32: nothing overflows. `base` contains
    /// `coefficient · own`, as the sums contain the own claim.
    function share(Role role, uint256 points, uint256 base, uint256 coefficient, uint256 own, uint256 denominator)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 numerator = points * (base - coefficient * own);
            return role == Role.Owner ? (numerator + denominator - 1) / denominator : numerator / denominator;
        }
    }

    /// @notice Fills in a side's coefficients.
    /// @param t θ's numerator
    /// @param members n, at least 2
    /// @param total Σp, read where `book.weighted`
    function setWeights(Book memory book, uint256 t, uint256 members, uint256 total) internal pure {
        unchecked {
            uint256 own = book.role == Role.Owner ? t : Q - t;
            if (book.weighted) {
                book.points = total;
                book.coefficient = own;
                book.denominator = Q * total;
            } else {
                book.points = members;
                book.coefficient = own * members;
                book.denominator = Q * members * (members - 1);
            }
        }
    }

    /// @notice The base of a model's shares.
    /// @param ownSum the side's T where weighted, else its sum of claims
    /// @param otherSum the other side's sum of claims
    /// @dev `coefficient · ownSum` is the part that one's own claim is taken from; the other side's claims count with the other part
    /// of θ, times n − 1 under equal weights.
    function baseOf(Book memory book, uint256 t, uint256 ownSum, uint256 otherSum) internal pure returns (uint256) {
        unchecked {
            uint256 other = book.role == Role.Owner ? Q - t : t;
            if (!book.weighted) other *= book.points - 1;
            return book.coefficient * ownSum + other * otherSum;
        }
    }

    /// @notice A member's share at the selected model (0 where none is) and its Clarke tax.
    /// @param points p under weights, else 1
    /// @param bids the member's packed bids from `bids[from]` on
    function shareAndTax(Book memory book, uint256 points, uint256[] calldata bids, uint256 from)
        internal
        pure
        returns (uint256 shareAtSelected, uint256 tax)
    {
        unchecked {
            bool owner = book.role == Role.Owner;
            uint256 largestShare = points * book.capPerPoint;
            int256 best; // max(0, …): the alternative that nothing is trained
            int256 atSelected;
            uint256 word = bids[from];
            for (uint256 m; m < book.models; ++m) {
                if ((m + 1) & 3 == 0) word = bids[from + Lanes.wordOf(m)];
                if ((book.live >> m) & 1 == 0) continue;
                uint256 claim = Lanes.lane(word, m) * 1 gwei;
                uint256 own = book.weighted ? term(book.role, claim, points, book.points) : claim;
                uint256 amount = share(book.role, points, book.bases[m], book.coefficient, own, book.denominator);
                if (owner && amount > largestShare) amount = largestShare;
                if (m == book.selected) shareAtSelected = amount;
                // A = D − v + c for an owner, D + k − r for a base station.
                int256 others = owner
                    ? book.margins[m] - int256(claim) + int256(amount)
                    : book.margins[m] + int256(claim) - int256(amount);
                if (m == book.selected) atSelected = others;
                if (others > best) best = others;
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

    /// @dev What all contributions add up to.
    uint256 internal constant CONTRIBUTION_POINTS = 1_000_000;
}
