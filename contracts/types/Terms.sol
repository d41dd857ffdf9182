// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "../Lanes.sol";
import {Policy, Role} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev What bids are held to: all that a reveal reads of a round. Written by `createRound`, `propose` and a cancellation.
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
    uint256 private constant MAX_OWNER_BID = 65;
    uint256 private constant MAX_BASE_BID = 109;
    uint256 private constant BOND = 153;
    uint256 private constant MODEL_COUNT = 242;
    uint256 private constant OWNER_POLICY = 249;
    uint256 private constant BASE_POLICY = 251;
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
        uint256 word = commitDeadline_ | ((revealDeadline_ - commitDeadline_) << REVEAL_AFTER)
            | (maxOwnerBid_ << MAX_OWNER_BID) | (maxBaseBid_ << MAX_BASE_BID) | (bond_ << BOND)
            | (uint256(ownerPolicy) << OWNER_POLICY) | (uint256(basePolicy) << BASE_POLICY);
        return Terms.wrap(open ? word.raise(OPEN) : word);
    }

    function exists(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self) != 0;
    }

    function commitDeadline(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(0, 40);
    }

    function revealDeadline(Terms self) internal pure returns (uint256) {
        return self.commitDeadline() + Terms.unwrap(self).get(REVEAL_AFTER, 25);
    }

    /// @dev Largest bid of a side, gwei.
    function cap(Terms self, Role role) internal pure returns (uint256) {
        return Terms.unwrap(self).get(role == Role.Owner ? MAX_OWNER_BID : MAX_BASE_BID, 44);
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

    function policy(Terms self, Role role) internal pure returns (Policy) {
        return Policy(Terms.unwrap(self).get(role == Role.Owner ? OWNER_POLICY : BASE_POLICY, 2));
    }

    function weighted(Terms self, Role role) internal pure returns (bool) {
        return self.policy(role) == Policy.Capability;
    }

    function byContribution(Terms self) internal pure returns (bool) {
        return self.policy(Role.BaseStation) == Policy.Contribution;
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
    function lockOf(Terms self, Role role, uint256 points) internal pure returns (uint256) {
        uint256 times = role == Role.Owner ? 1 + points : (self.byContribution() ? 2 : 1);
        return self.cap(role) * 1 gwei * times + self.bond();
    }
}
