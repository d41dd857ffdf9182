// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stage} from "../../interfaces/IHCFL.sol";
import {Member, MemberLibrary} from "../../types/Member.sol";
import {Proof} from "./Proof.t.sol";

/// @title A member's fields, for all words: what is written is read back, and no write touches a neighbour
contract MemberProof is Proof {
    function fields(Member member) private pure returns (uint256[] memory f) {
        f = new uint256[](10);
        (f[0], f[1], f[2]) = (member.points(), uint256(member.stage()), member.side());
        (f[3], f[4], f[5]) = (number(member.isProposer()), member.model(), number(member.voted()));
        (f[6], f[7]) = (number(member.listed()), member.ordinal());
        (f[8], f[9]) = (member.recorded(), member.sealedBid());
    }

    function check_pack__anyMember__hasJoined(uint256 side, uint32 points) external pure {
        assume(side <= 1);
        uint256[] memory expected = new uint256[](10);
        (expected[0], expected[1], expected[2]) = (points, uint256(Stage.Joined), side);
        assertSame(fields(MemberLibrary.pack(side, points)), expected);
    }

    function check_withStage__anyMember__isSet(Member member, Stage stage) external pure {
        uint256[] memory expected = fields(member);
        expected[1] = uint256(stage);
        assertSame(fields(member.withStage(stage)), expected);
        assert(member.withStage(stage).isAt(stage));
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

    function check_withVoted__anyMember__isSet(Member member) external pure {
        uint256[] memory expected = fields(member);
        expected[5] = 1;
        assertSame(fields(member.withVoted()), expected);
    }

    function check_withListed__anyPoints__areSet(Member member, uint32 points) external pure {
        uint256[] memory expected = fields(member);
        (expected[0], expected[6]) = (points, 1);
        assertSame(fields(member.withListed(points)), expected);
    }

    /// @notice It commits once: there is no number yet.
    function check_withOrdinal__notYetCommitted__isSet(Member member, uint256 ordinal) external pure {
        assume(ordinal < 2 ** 20 && member.ordinal() == 0);
        uint256[] memory expected = fields(member);
        expected[7] = ordinal;
        assertSame(fields(member.withOrdinal(ordinal)), expected);
    }

    function check_withRecord__notAllOf256__countsOneMore(Member member) external pure {
        assume(member.recorded() < 256);
        uint256[] memory expected = fields(member);
        ++expected[8];
        assertSame(fields(member.withRecord()), expected);
    }

    function check_withSealed__anyHash__isHeld(Member member, Stage stage, bytes32 hash, bytes32 other) external pure {
        uint256[] memory expected = fields(member);
        (expected[1], expected[9]) = (uint256(stage), uint256(hash) / 2 ** 74);
        Member holder = member.withSealed(stage, hash);
        assertSame(fields(holder), expected);
        assert(holder.holds(other) == (uint256(hash) / 2 ** 74 == uint256(other) / 2 ** 74));
    }
}
