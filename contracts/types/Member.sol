// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role, Stage} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev A member of a round, in one slot; the slot is nonzero from its join on.
///
///   48 payload 208 | 46 free 2 | 45 voted | 44 listedZero | 43 recorded | 37 model 6 | 36 proposer | 35 role | 32 stage 3 |
///   0 points 32
///
/// `payload` is, by stage: Committed: the top 208 bits of the commitment; Revealed: those of the hash of the packed bids; Settled
/// and Closed: the wei it put into its side's recycling. `points` of a base station under Contribution are what the winner
/// reported (0 until then); its weight in the auction is 1.
type Member is uint256;

using MemberLibrary for Member global;

library MemberLibrary {
    using Bits for uint256;

    uint256 private constant STAGE = 32;
    uint256 private constant ROLE = 35;
    uint256 private constant PROPOSER = 36;
    uint256 private constant MODEL = 37;
    uint256 private constant RECORDED = 43;
    uint256 private constant LISTED_ZERO = 44;
    uint256 private constant VOTED = 45;
    uint256 private constant PAYLOAD = 48;

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

    /// @dev Whether it is Committed or Revealed, 2 or 3: not just Joined any more and not Settled yet.
    function isBidder(Member self) internal pure returns (bool) {
        return Member.unwrap(self).get(STAGE + 1, 2) == 1;
    }

    /// @dev Its role as an index.
    function side(Member self) internal pure returns (uint256) {
        return Member.unwrap(self).get(ROLE, 1);
    }

    function role(Member self) internal pure returns (Role) {
        return Role(Member.unwrap(self).get(ROLE, 1));
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

    function recorded(Member self) internal pure returns (bool) {
        return Member.unwrap(self).flag(RECORDED);
    }

    function listedZero(Member self) internal pure returns (bool) {
        return Member.unwrap(self).flag(LISTED_ZERO);
    }

    function voted(Member self) internal pure returns (bool) {
        return Member.unwrap(self).flag(VOTED);
    }

    function payload(Member self) internal pure returns (uint256) {
        return Member.unwrap(self) >> PAYLOAD;
    }

    function holds(Member self, bytes32 hash) internal pure returns (bool) {
        return self.payload() == uint256(hash) >> 48;
    }

    function withPoints(Member self, uint256 points_) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).set(0, 32, points_));
    }

    function withStage(Member self, Stage stage_) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).set(STAGE, 3, uint256(stage_)));
    }

    function withModel(Member self, uint256 m) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).raise(PROPOSER) | (m << MODEL));
    }

    function withRecorded(Member self) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).raise(RECORDED));
    }

    function withListedZero(Member self, bool zero) internal pure returns (Member) {
        uint256 word = Member.unwrap(self);
        return Member.wrap(zero ? word.raise(LISTED_ZERO) : word.lower(LISTED_ZERO));
    }

    function withVoted(Member self) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).raise(VOTED));
    }

    /// @dev Keeps the top 208 bits of a hash: two openings of one commitment cost 2^104 tries, a second opening of another's 2^208.
    function withHash(Member self, bytes32 hash) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).set(PAYLOAD, 208, uint256(hash) >> 48));
    }

    /// @dev What a member puts in is at most its lock and its reward, below 2^109.
    function withPutIn(Member self, uint256 amount) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(self).set(PAYLOAD, 208, amount));
    }
}
