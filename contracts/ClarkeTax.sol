// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "./Lanes.sol";
import {Words} from "./Words.sol";

/// @title Shares and Clarke taxes
/// @notice The arithmetic of the mechanism, pure. Everything is wei; Q = 2^64 and θ = t / Q. V and K are the sums of the owners' values
/// and of the base stations' costs at a model (the claimant has no say and is not in K), n_O and n_B the committed members of a side,
/// the claimant included. The costs of all are estimated as `n_B K / (n_B − 1)`, and a model's score is `E = (n_B − 1) V − n_B K`.
/// Every member's share is worked out from everybody's claims but its own, and has one form:
///
///     share = (p · base − coefficient · claim) / denominator,   rounded up for owners, down for base stations
///
///     owner    c = p (1−θ) n_B K / ((n_B−1) Σp) + θ (V − v) / (n_O−1)      station  r = (1−θ) (K − k) / (n_B−2) + θ V / n_B
///              base        = (Q−t) n_B (n_O−1) K + t (n_B−1) Σp V                   base        = (Q−t) n_B K + t (n_B−2) V
///              coefficient = t (n_B−1) Σp                                           coefficient = (Q−t) n_B
///              denominator = Q (n_B−1) (n_O−1) Σp                                   denominator = Q n_B (n_B−2)
///
/// Points p are 1 under the equal policy, so that Σp = n_O; under capability t is 0, so that p stands before K alone. An owner's share
/// is cut to `p · maxOwnerBid`, so that a bounded lock is enough. At a selected model the exact share is never above that.
///
/// The tax is Clarke's pivot rule over both sides at once, in units of the side's weight, with A the others' claims less their shares:
///
///     tax = (max(0, max over live models of A) − A at the selected model) / |weight|, rounded up     (A is 0 where nothing is selected)
///     A = E + weight · (share − claim),   weight = n_B − 1 for an owner, −n_B for a base station
library ClarkeTax {
    using Words for uint256[];

    uint256 internal constant Q = 2 ** 64;
    /// @dev What all listed contributions must add up to.
    uint256 internal constant CONTRIBUTION_POINTS = 1_000_000;
    /// @dev "Nothing is selected".
    uint256 internal constant NONE = type(uint256).max;
    /// @dev The score of a model that takes no part: below all others, whatever a share adds to it.
    int256 internal constant DEAD = -(2 ** 200);

    /// @notice What one side's shares and taxes are worked out from.
    /// @param selected the selected model, or NONE
    /// @param weight the side's (see above), positive for owners
    /// @param coefficient what an own claim is multiplied by in a share (see above)
    /// @param denominator of a share (see above)
    /// @param capPerPoint the largest share a point, wei (owners)
    /// @param rows every model's score E (int256), then every model's base of the side's shares, uint256[2 M]
    struct Book {
        uint256 selected;
        int256 weight;
        uint256 coefficient;
        uint256 denominator;
        uint256 capPerPoint;
        uint256[] rows;
    }

    /// @notice Fills in weight, coefficient and denominator of a side.
    /// @param ofOwners whether it is the owners' side
    /// @param t θ's numerator
    /// @param total Σp of the owners
    /// @return valueFactor what V is multiplied by in a base
    /// @return costFactor what K is multiplied by
    /// @dev Owners and stations are below 2^20, `total` below 2^52: a denominator is below 2^156.
    function setWeights(Book memory book, bool ofOwners, uint256 t, uint256 owners, uint256 stations, uint256 total)
        internal
        pure
        returns (uint256 valueFactor, uint256 costFactor)
    {
        unchecked {
            costFactor = (Q - t) * stations;
            if (ofOwners) {
                uint256 weight = stations - 1;
                valueFactor = t * weight * total;
                costFactor *= owners - 1;
                book.weight = int256(weight);
                book.coefficient = valueFactor;
                book.denominator = Q * weight * (owners - 1) * total;
            } else {
                valueFactor = t * (stations - 2);
                book.weight = -int256(stations);
                book.coefficient = costFactor;
                book.denominator = Q * stations * (stations - 2);
            }
        }
    }

    /// @notice A member's share of the payment for a model, wei.
    /// @param rounding `denominator − 1` to round up, 0 to round down
    /// @dev Sums are below 2^94, bases below 2^198, points below 2^32: nothing overflows. `points · base` contains
    /// `coefficient · claim`: the sums contain the own claim, and where points are not 1 an owner's coefficient is 0.
    function share(
        uint256 points,
        uint256 base,
        uint256 coefficient,
        uint256 claim,
        uint256 denominator,
        uint256 rounding
    ) internal pure returns (uint256) {
        unchecked {
            return (points * base - coefficient * claim + rounding) / denominator;
        }
    }

    /// @notice A member's share at the selected model (0 where none is) and its Clarke tax.
    /// @param points an owner's p, 1 for a base station
    /// @param bids the member's packed bids from `bids[from]` on
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
            int256 weight = book.weight;
            uint256 coefficient = book.coefficient;
            uint256 denominator = book.denominator;
            (uint256 largestShare, uint256 rounding) =
                weight > 0 ? (points * book.capPerPoint, denominator - 1) : (type(uint256).max, 0);
            int256 best; // max(0, …): the alternative that nothing is trained
            int256 atSelected;
            for (uint256 m; m < models; ++m) {
                uint256 claim = Lanes.bidAt(bids, from, m) * 1 gwei;
                uint256 amount = share(points, rows.get(models + m), coefficient, claim, denominator, rounding);
                if (amount > largestShare) amount = largestShare;
                int256 others = int256(rows.get(m)) + weight * int256(amount - claim);
                if (others > best) best = others;
                if (m == selected) (shareAtSelected, atSelected) = (amount, others);
            }
            uint256 size = uint256(weight < 0 ? -weight : weight);
            tax = (uint256(best - atSelected) + size - 1) / size;
        }
    }

    /// @notice What the claimant is paid like the others: `(1−θ) K / (n_B−1) + θ V / n_B`, rounded down. It owes no tax.
    function claimantShare(uint256 t, uint256 stations, uint256 value, uint256 cost) internal pure returns (uint256) {
        unchecked {
            return ((Q - t) * stations * cost + t * (stations - 1) * value) / (Q * stations * (stations - 1));
        }
    }
}
