// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stage} from "../../interfaces/IHCFL.sol";
import {Member, MemberLibrary} from "../../types/Member.sol";
import {Proof} from "./Proof.t.sol";

/// @title A member's fields, for all words: what is written is read back, and no write touches a neighbour
contract MemberProof is Proof {
    function fields(Member member) private pure returns (uint256[] memory f) {
        f = new uint256[](9);
        (f[0], f[1], f[2]) = (member.points(), uint256(member.stage()), member.side());
        (f[3], f[4]) = (number(member.isProposer()), member.model());
        (f[5], f[6]) = (number(member.recorded()), number(member.listedZero()));
        (f[7], f[8]) = (number(member.voted()), member.payload());
    }

    function check_pack__anyMember__hasJoined(uint256 side, uint32 points) external pure {
        assume(side <= 1);
        uint256[] memory expected = new uint256[](9);
        (expected[0], expected[1], expected[2]) = (points, uint256(Stage.Joined), side);
        assertSame(fields(MemberLibrary.pack(side, points)), expected);
    }

    function check_withPointsAndStage__anyMember__areSet(Member member, uint32 points, Stage stage) external pure {
        uint256[] memory expected = fields(member);
        (expected[0], expected[1]) = (points, uint256(stage));
        assertSame(fields(member.withPoints(points).withStage(stage)), expected);
    }

    /// @notice A member proposes once: no model is named yet.
    function check_withModel__notYetProposer__isSet(Member member, uint256 model, uint256 other) external pure {
        assume(model < 64 && !member.isProposer() && member.model() == 0);
        uint256[] memory expected = fields(member);
        (expected[3], expected[4]) = (1, model);
        assertSame(fields(member.withModel(model)), expected);
        assert(member.withModel(model).proposed(other) == (other == model));
        assert(!member.proposed(other));
    }

    function check_flags__anyMember__areSet(Member member, bool zero) external pure {
        uint256[] memory expected = fields(member);
        expected[5] = 1;
        assertSame(fields(member.withRecorded()), expected);
        expected[6] = number(zero);
        assertSame(fields(member.withRecorded().withListedZero(zero)), expected);
        expected[7] = 1;
        assertSame(fields(member.withRecorded().withListedZero(zero).withVoted()), expected);
    }

    function check_withHash__anyHash__isHeld(Member member, bytes32 hash, bytes32 other) external pure {
        uint256[] memory expected = fields(member);
        expected[8] = uint256(hash) / 2 ** 48;
        Member holder = member.withHash(hash);
        assertSame(fields(holder), expected);
        assert(holder.holds(other) == (uint256(hash) / 2 ** 48 == uint256(other) / 2 ** 48));
    }

    function check_withPutIn__anyAmountOfALock__isSet(Member member, uint256 amount) external pure {
        assume(amount < 2 ** 109);
        uint256[] memory expected = fields(member);
        expected[8] = amount;
        assertSame(fields(member.withPutIn(amount)), expected);
    }
}
