// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "../Lanes.sol";
import {IHCFL, Policy} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";
import {Member} from "./Member.sol";
import {OWNERS} from "./Side.sol";

/// @dev What bids and locks are held to: all that a reveal reads of a round. Written by `createRound`, `propose` and the draw.
///
///   243 free 13 | 242 staked | 241 weighted | 221 claimant 20 | 214 modelCount 7 | 207 maxModels 7 | 153 bond 54 |
///   109 maxStationBid 44 | 65 maxOwnerBid 44 | 40 revealAfter 25 | 0 commitDeadline 40
///
/// `revealAfter` is seconds after the commit deadline (below 2^25: a round ends within a year). Caps and bond are gwei. `claimant` is
/// the claimant's ordinal, 0 until it is drawn. `weighted`: owners weigh by their points. `staked`: base stations lock a stake, which
/// is in Draw.
type Terms is uint256;

using TermsLibrary for Terms global;

/// @dev The largest bond that fits, wei: 1.8e7 ether.
uint256 constant MAX_BOND = (2 ** 54 - 1) * 1 gwei;
/// @dev The largest cap on bids, and the largest contribution stake, gwei.
uint256 constant MAX_CAP = 2 ** 44 - 1;

library TermsLibrary {
    using Bits for uint256;

    uint256 private constant REVEAL_AFTER = 40;
    uint256 private constant CAPS = 65;
    uint256 private constant CAP_WIDTH = 44;
    uint256 private constant BOND = 153;
    uint256 private constant MAX_MODELS = 207;
    uint256 private constant MODEL_COUNT = 214;
    uint256 private constant CLAIMANT = 221;
    uint256 private constant WEIGHTED = 241;
    uint256 private constant STAKED = 242;

    function pack(IHCFL.RoundTerms calldata t) internal pure returns (Terms) {
        IHCFL.Deadlines calldata d = t.deadlines;
        uint256 word = d.commit | (uint256(d.reveal - d.commit) << REVEAL_AFTER) | (uint256(t.maxOwnerBid) << CAPS)
            | (uint256(t.maxStationBid) << (CAPS + CAP_WIDTH)) | ((t.bond / 1 gwei) << BOND)
            | (uint256(t.maxModels) << MAX_MODELS);
        if (t.ownerPolicy == Policy.Capability) word = word.raise(WEIGHTED);
        return Terms.wrap(t.contributionStake != 0 ? word.raise(STAKED) : word);
    }

    function commitDeadline(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(0, 40);
    }

    function revealDeadline(Terms self) internal pure returns (uint256) {
        return self.commitDeadline() + Terms.unwrap(self).get(REVEAL_AFTER, 25);
    }

    /// @dev Who is not drawn by the middle of the reveal phase is not drawn: the other half is left for reveals.
    function drawDeadline(Terms self) internal pure returns (uint256) {
        return (self.commitDeadline() + self.revealDeadline()) / 2;
    }

    /// @dev Largest bid of a side, gwei.
    function cap(Terms self, uint256 side) internal pure returns (uint256) {
        return Terms.unwrap(self).get(CAPS + CAP_WIDTH * side, CAP_WIDTH);
    }

    /// @dev Wei.
    function bond(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(BOND, 54) * 1 gwei;
    }

    function maxModels(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(MAX_MODELS, 7);
    }

    function modelCount(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(MODEL_COUNT, 7);
    }

    /// @dev W, the words of a bid vector.
    function bidWords(Terms self) internal pure returns (uint256) {
        return Lanes.wordsFor(self.modelCount());
    }

    function claimant(Terms self) internal pure returns (uint256) {
        return Terms.unwrap(self).get(CLAIMANT, 20);
    }

    function isDrawn(Terms self) internal pure returns (bool) {
        return self.claimant() != 0;
    }

    /// @dev Members without an ordinal (owners, who never committed) are never the claimant.
    function isClaimant(Terms self, Member member) internal pure returns (bool) {
        return self.isDrawn() && member.ordinal() == self.claimant();
    }

    function isWeighted(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self).flag(WEIGHTED);
    }

    function isStaked(Terms self) internal pure returns (bool) {
        return Terms.unwrap(self).flag(STAKED);
    }

    /// @dev At most 64 models are added.
    function withModel(Terms self) internal pure returns (Terms) {
        return Terms.wrap(Terms.unwrap(self) + (1 << MODEL_COUNT));
    }

    /// @dev Once.
    function withClaimant(Terms self, uint256 ordinal) internal pure returns (Terms) {
        return Terms.wrap(Terms.unwrap(self) | (ordinal << CLAIMANT));
    }

    /// @dev The most that share, reward and tax together can cost a truthful, dutiful member, wei. Below 2^107.
    function largestPayment(Terms self, uint256 side, uint256 points) internal pure returns (uint256) {
        unchecked {
            return self.cap(side) * 1 gwei * (side == OWNERS ? 1 + points : 1);
        }
    }
}
