// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "../Lanes.sol";
import {Policy} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";
import {OWNERS} from "./Side.sol";

/// @dev What bids are held to: all that a reveal reads of a round (under Capability also the points, in Draw). Written by `createRound`, `propose` and a cancellation.
///
///   255 free | 254 cancelled | 253 open | 251 basePolicy 2 | 249 ownerPolicy 2 | 242 modelCount 7 | 153 bond 89 |
///   109 maxBaseBid 44 | 65 maxOwnerBid 44 | 40 revealAfter 25 | 0 commitDeadline 40
///
/// `revealAfter` is seconds after the commit deadline (below 2^25: a round ends within a year). Caps are gwei, the bond wei.
type Terms is uint256;

using TermsLibrary for Terms global;

/// @dev The largest bond that fits, 6.1e8 ether.
uint256 constant MAX_BOND = 2 ** 89 - 1;
/// @dev The largest cap on bids, gwei.
uint256 constant MAX_CAP = 2 ** 44 - 1;

library TermsLibrary {
    using Bits for uint256;

    uint256 private constant REVEAL_AFTER = 40;
    uint256 private constant CAPS = 65;
    uint256 private constant CAP_WIDTH = 44;
    uint256 private constant BOND = 153;
    uint256 private constant MODEL_COUNT = 242;
    uint256 private constant POLICIES = 249;
    uint256 private constant POLICY_WIDTH = 2;
    uint256 private constant OPEN = 253;
    uint256 private constant CANCELLED = 254;

    function pack(
        uint256 commitDeadline_,
        uint256 revealDeadline_,
        uint256 maxOwnerBid_,
        uint256 maxBaseBid_,
        uint256 bond_,
        Policy ownerPolicy,
        Policy basePolicy,
        bool open
    ) internal pure returns (Terms) {
        uint256 word = commitDeadline_ | ((revealDeadline_ - commitDeadline_) << REVEAL_AFTER) | (maxOwnerBid_ << CAPS)
            | (maxBaseBid_ << (CAPS + CAP_WIDTH)) | (bond_ << BOND) | (uint256(ownerPolicy) << POLICIES)
            | (uint256(basePolicy) << (POLICIES + POLICY_WIDTH));
        return Terms.wrap(open ? word.raise(OPEN) : word);
    }

    function exists(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self) != 0;
    }

    function commitDeadline(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(0, 40);
    }

    function revealDeadline(Terms self) internal pure returns (uint256) {
        unchecked {
            return self.commitDeadline() + Terms.unwrap(self).get(REVEAL_AFTER, 25);
        }
    }

    /// @dev Largest bid of a side, gwei.
    function cap(Terms self, uint256 side) internal pure returns (uint256) {
        return Terms.unwrap(self).get(CAPS + CAP_WIDTH * side, CAP_WIDTH);
    }

    function bond(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(BOND, 89);
    }

    function modelCount(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(MODEL_COUNT, 7);
    }

    /// @dev W, the words of a bid vector.
    function bidWords(Terms self) internal pure returns (uint256) {
        return Lanes.wordsFor(self.modelCount());
    }

    function weighted(Terms self, uint256 side) internal pure returns (bool) {
        return Terms.unwrap(self).get(POLICIES + POLICY_WIDTH * side, POLICY_WIDTH) == uint256(Policy.Capability);
    }

    function byContribution(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self).get(POLICIES + POLICY_WIDTH, POLICY_WIDTH) == uint256(Policy.Contribution);
    }

    function isOpen(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self).flag(OPEN);
    }

    function isCancelled(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self).flag(CANCELLED);
    }

    /// @dev At most 64 models are added.
    function withModel(Terms self) internal pure returns (Terms) {
        return Terms.wrap(Terms.unwrap(self) + (1 << MODEL_COUNT));
    }

    function withCancelled(Terms self) internal pure returns (Terms) {
        return Terms.wrap(Terms.unwrap(self).raise(CANCELLED));
    }

    /// @dev What a member locks, wei (mechanism: locks and what can be collected): `maxOwnerBid (1 + p) + bond` or
    /// `maxBaseBid + bond`, twice the former part under Contribution. Below 2^107.
    function lockOf(Terms self, uint256 side, uint256 points) internal pure returns (uint256) {
        unchecked {
            uint256 times = side == OWNERS ? 1 + points : (self.byContribution() ? 2 : 1);
            return self.cap(side) * 1 gwei * times + self.bond();
        }
    }
}
