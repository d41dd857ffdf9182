// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stage} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev A member of a round, in one slot: nonzero from its join to its settlement (the claimant's for good).
///
///   74 sealedBid 182 | 65 recorded 9 | 45 ordinal 20 | 44 listed | 43 voted | 37 model 6 | 36 proposer | 35 role | 32 stage 3 |
///   0 points 32
///
/// `sealedBid` is the top of the commitment, from the reveal on of the hash of the packed bids. `points` are an owner's; those of a
/// base station what the winner has listed. `ordinal` is a committed base station's, from 1. `recorded` counts global rounds.
type Member is uint256;

using MemberLibrary for Member global;

library MemberLibrary {
    using Bits for uint256;

    uint256 private constant STAGE = 32;
    uint256 private constant ROLE = 35;
    uint256 private constant PROPOSER = 36;
    uint256 private constant MODEL = 37;
    uint256 private constant VOTED = 43;
    uint256 private constant LISTED = 44;
    uint256 private constant ORDINAL = 45;
    uint256 private constant RECORDED = 65;
    uint256 private constant SEALED = 74;

    function pack(uint256 side_, uint256 points_) internal pure returns (Member) {
        return Member.wrap(points_ | (uint256(Stage.Joined) << STAGE) | (side_ << ROLE));
    }

    function points(Member self) internal pure returns (uint256) {
        return Member.unwrap(self).get(0, 32);
    }

    function stage(Member self) internal pure returns (Stage) {
        return Stage(Member.unwrap(self).get(STAGE, 3));
    }

    function isAt(Member self, Stage stage_) internal pure returns (bool) {
        return Member.unwrap(self).get(STAGE, 3) == uint256(stage_);
    }

    /// @dev Its role as an index.
    function side(Member self) internal pure returns (uint256) {
        return Member.unwrap(self).get(ROLE, 1);
    }

    function isProposer(Member self) internal pure returns (bool) {
        return Member.unwrap(self).flag(PROPOSER);
    }

    function model(Member self) internal pure returns (uint256) {
        return Member.unwrap(self).get(MODEL, 6);
    }

    /// @dev Whether it proposed model m.
    function proposed(Member self, uint256 m) internal pure returns (bool) {
        return self.isProposer() && self.model() == m;
    }

    function voted(Member self) internal pure returns (bool) {
        return Member.unwrap(self).flag(VOTED);
    }

    function listed(Member self) internal pure returns (bool) {
        return Member.unwrap(self).flag(LISTED);
    }

    function ordinal(Member self) internal pure returns (uint256) {
        return Member.unwrap(self).get(ORDINAL, 20);
    }

    function recorded(Member self) internal pure returns (uint256) {
        return Member.unwrap(self).get(RECORDED, 9);
    }

    function sealedBid(Member self) internal pure returns (uint256) {
        return Member.unwrap(self) >> SEALED;
    }

    function holds(Member self, bytes32 hash) internal pure returns (bool) {
        return self.sealedBid() == uint256(hash) >> SEALED;
    }

    function withModel(Member self, uint256 m) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).raise(PROPOSER) | (m << MODEL));
    }

    function withVoted(Member self) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).raise(VOTED));
    }

    function withListed(Member self, uint256 points_) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).raise(LISTED).set(0, 32, points_));
    }

    /// @dev At most 256 are added.
    function withRecord(Member self) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self) + (1 << RECORDED));
    }

    function withStage(Member self, Stage stage_) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).set(STAGE, 3, uint256(stage_)));
    }

    /// @dev Keeps the top 182 bits of a hash: two openings of one's own commitment cost 2^91 tries, a second opening of another's
    /// 2^182.
    function withSealed(Member self, Stage stage_, bytes32 hash) internal pure returns (Member) {
        uint256 word = Member.unwrap(self.withStage(stage_));
        return Member.wrap((word & ((1 << SEALED) - 1)) | (uint256(hash) >> SEALED << SEALED));
    }

    /// @dev Once.
    function withOrdinal(Member self, uint256 ordinal_) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self) | (ordinal_ << ORDINAL));
    }
}
