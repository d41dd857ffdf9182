// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ledger, LedgerLibrary, MAX_COMMITTED, MAX_ESCROW} from "../../types/Ledger.sol";
import {OWNERS, STATIONS} from "../../types/Side.sol";
import {Proof} from "./Proof.t.sol";

/// @title The ledger's fields, for all words: what is written is read back, and no write touches a neighbour
contract LedgerProof is Proof {
    function fields(Ledger ledger) private pure returns (uint256[] memory f) {
        f = new uint256[](8);
        f[0] = ledger.joinDeadline();
        f[1] = ledger.commitDeadline();
        f[2 + OWNERS] = ledger.committed(OWNERS);
        f[2 + STATIONS] = ledger.committed(STATIONS);
        f[4] = ledger.settled();
        f[5] = ledger.escrow();
        f[6 + OWNERS] = number(ledger.weighted(OWNERS));
        f[6 + STATIONS] = number(ledger.weighted(STATIONS));
    }

    function check_pack__deadlinesOfAYear__areReadBack(uint40 join, uint40 commit, bool owners, bool stations)
        external
        pure
    {
        assume(join < commit && commit - join <= 365 days);
        uint256[] memory expected = new uint256[](8);
        (expected[0], expected[1]) = (join, commit);
        (expected[6 + OWNERS], expected[6 + STATIONS]) = (number(owners), number(stations));
        assertSame(fields(LedgerLibrary.pack(join, commit, owners, stations)), expected);
    }

    function check_withCommitted__sideNotFull__countsOneMore(Ledger ledger) external pure {
        for (uint256 side; side < 2; ++side) {
            assume(ledger.committed(side) < MAX_COMMITTED);
            uint256[] memory expected = fields(ledger);
            ++expected[2 + side];
            assertSame(fields(ledger.withCommitted(side)), expected);
        }
    }

    function check_withSettled__notAllSettled__countsOneMore(Ledger ledger) external pure {
        assume(ledger.settled() < 2 * MAX_COMMITTED);
        uint256[] memory expected = fields(ledger);
        ++expected[4];
        assertSame(fields(ledger.withSettled()), expected);
    }

    function check_plusEscrow__whatFits__isAdded(Ledger ledger, uint128 amount) external pure {
        uint256[] memory expected = fields(ledger);
        expected[5] += amount;
        uint256[] memory actual = fields(ledger.plusEscrow(amount));
        assertSame(actual, expected);
        assert(expected[5] <= MAX_ESCROW);
    }

    function check_minusEscrow__whatIsThere__isTaken(Ledger ledger, uint128 amount) external pure {
        uint256[] memory expected = fields(ledger);
        uint256[] memory actual = fields(ledger.minusEscrow(amount));
        assert(amount <= expected[5]);
        expected[5] -= amount;
        assertSame(actual, expected);
    }

    function check_escrow__withinBounds__neverReverts(Ledger ledger, uint128 amount) external view {
        assume(ledger.escrow() + amount <= MAX_ESCROW);
        try this.plusThenMinus(ledger, amount) returns (Ledger same) {
            assert(Ledger.unwrap(same) == Ledger.unwrap(ledger));
        } catch {
            assert(false);
        }
    }

    function plusThenMinus(Ledger ledger, uint256 amount) external pure returns (Ledger) {
        return ledger.plusEscrow(amount).minusEscrow(amount);
    }

    function check_allSettled__anyCounters__isTheirSum(Ledger ledger) external pure {
        assert(ledger.allSettled() == (ledger.settled() == ledger.committed(OWNERS) + ledger.committed(STATIONS)));
    }
}
