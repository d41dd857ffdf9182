// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "../../interfaces/IHCFL.sol";
import {Ledger, LedgerLibrary, MAX_COMMITTED, MAX_ESCROW} from "../../types/Ledger.sol";
import {OWNERS, STATIONS} from "../../types/Side.sol";
import {Proof} from "./Proof.t.sol";

/// @title The ledger's fields, for all words: what is written is read back, and no write touches a neighbour
contract LedgerProof is Proof {
    function fields(Ledger ledger) private pure returns (uint256[] memory f) {
        f = new uint256[](6);
        (f[0], f[1]) = (ledger.joinDeadline(), ledger.commitDeadline());
        (f[2 + OWNERS], f[2 + STATIONS]) = (ledger.committed(OWNERS), ledger.committed(STATIONS));
        (f[4], f[5]) = (ledger.points(), ledger.escrow());
    }

    function check_pack__deadlinesOfAYear__areReadBack(IHCFL.Deadlines calldata d) external pure {
        assume(d.join < d.commit && d.commit - d.join <= 365 days);
        uint256[] memory expected = new uint256[](6);
        (expected[0], expected[1]) = (d.join, d.commit);
        assertSame(fields(LedgerLibrary.pack(d)), expected);
    }

    /// @notice One step of an induction: k owners' points are at most k (2^32 − 1).
    function check_withCommitted__sideNotFull__countsOneMoreAndItsPoints(Ledger ledger, uint32 points) external pure {
        uint256 owners = ledger.committed(OWNERS);
        assume(ledger.points() <= owners * type(uint32).max);
        for (uint256 side; side < 2; ++side) {
            assume(ledger.committed(side) < MAX_COMMITTED);
            uint256 added = side == OWNERS ? points : 0;
            uint256[] memory expected = fields(ledger);
            ++expected[2 + side];
            expected[4] += added;
            assertSame(fields(ledger.withCommitted(side, added)), expected);
        }
        assert(ledger.withCommitted(OWNERS, points).points() <= (owners + 1) * type(uint32).max);
    }

    function check_plusEscrow__whatFits__isAdded(Ledger ledger, uint256 amount) external pure {
        assume(amount <= MAX_ESCROW - ledger.escrow());
        uint256[] memory expected = fields(ledger);
        expected[5] += amount;
        assertSame(fields(ledger.plusEscrow(amount)), expected);
    }

    function check_minusEscrow__whatIsThere__isTaken(Ledger ledger, uint256 amount) external pure {
        uint256[] memory expected = fields(ledger);
        uint256[] memory actual = fields(ledger.minusEscrow(amount));
        assert(amount <= expected[5]);
        expected[5] -= amount;
        assertSame(actual, expected);
    }

    function check_escrow__withinBounds__neverReverts(Ledger ledger, uint256 amount) external view {
        assume(amount <= MAX_ESCROW - ledger.escrow());
        try this.plusThenMinus(ledger, amount) returns (Ledger same) {
            assert(Ledger.unwrap(same) == Ledger.unwrap(ledger));
        } catch {
            assert(false);
        }
    }

    function plusThenMinus(Ledger ledger, uint256 amount) external pure returns (Ledger) {
        return ledger.plusEscrow(amount).minusEscrow(amount);
    }
}
