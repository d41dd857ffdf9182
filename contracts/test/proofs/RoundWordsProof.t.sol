// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Policy, Status} from "../../interfaces/IHCFL.sol";
import {Conduct, ConductLibrary} from "../../types/Conduct.sol";
import {Draw, DrawLibrary} from "../../types/Draw.sol";
import {MAX_COMMITTED} from "../../types/Ledger.sol";
import {OWNERS, STATIONS} from "../../types/Side.sol";
import {MAX_BOND, MAX_CAP, Terms, TermsLibrary} from "../../types/Terms.sol";
import {Proof} from "./Proof.t.sol";

/// @title The fields of a round's other words, for all words: what is written is read back, and no write touches a neighbour
contract RoundWordsProof is Proof {
    function fields(Terms terms) private pure returns (uint256[] memory f) {
        f = new uint256[](11);
        (f[0], f[1]) = (terms.commitDeadline(), terms.revealDeadline());
        (f[2], f[3]) = (terms.cap(OWNERS), terms.cap(STATIONS));
        (f[4], f[5]) = (terms.bond(), terms.modelCount());
        (f[6], f[7]) = (number(terms.weighted(OWNERS)), number(terms.weighted(STATIONS)));
        f[8] = number(terms.byContribution());
        (f[9], f[10]) = (number(terms.isOpen()), number(terms.isCancelled()));
    }

    function fields(Conduct conduct) private pure returns (uint256[] memory f) {
        f = new uint256[](11);
        (f[0], f[1]) = (conduct.selectDeadline(), conduct.trainDeadline());
        (f[2], f[3]) = (conduct.reportDeadline(), conduct.voteDeadline());
        (f[4], f[5]) = (conduct.live(), uint256(conduct.status()));
        (f[6], f[7]) = (conduct.selected(), conduct.recorders());
        (f[8], f[9]) = (conduct.votesFor(), conduct.votesCast());
        f[10] = number(conduct.guided());
    }

    function fields(Draw draw) private pure returns (uint256[] memory f) {
        f = new uint256[](5);
        (f[0 + OWNERS], f[0 + STATIONS]) = (draw.points(OWNERS), draw.points(STATIONS));
        (f[2], f[3], f[4]) = (draw.theta(), draw.thresholdBps(), draw.maxModels());
    }

    // ───────────────────────────────────────────── terms ───────────────────────────────────────────────

    function check_terms__checkedParams__areReadBack(
        uint40[2] calldata deadlines,
        uint256[2] calldata caps,
        uint256 bond,
        Policy owners,
        Policy stations,
        bool open
    ) external pure {
        assume(deadlines[0] < deadlines[1] && deadlines[1] - deadlines[0] <= 365 days);
        assume(caps[0] <= MAX_CAP && caps[1] <= MAX_CAP && bond <= MAX_BOND);
        uint256[] memory expected = new uint256[](11);
        (expected[0], expected[1]) = (deadlines[0], deadlines[1]);
        (expected[2], expected[3], expected[4]) = (caps[0], caps[1], bond);
        (expected[6], expected[7]) = (number(owners == Policy.Capability), number(stations == Policy.Capability));
        (expected[8], expected[9]) = (number(stations == Policy.Contribution), number(open));
        assertSame(
            fields(TermsLibrary.pack(deadlines[0], deadlines[1], caps[0], caps[1], bond, owners, stations, open)),
            expected
        );
    }

    function check_terms__oneModelMore__isCounted(Terms terms) external pure {
        assume(terms.modelCount() < 64);
        uint256[] memory expected = fields(terms);
        ++expected[5];
        assertSame(fields(terms.withModel()), expected);
    }

    function check_terms__cancelled__saysSo(Terms terms) external pure {
        uint256[] memory expected = fields(terms);
        expected[10] = 1;
        assertSame(fields(terms.withCancelled()), expected);
    }

    // ──────────────────────────────────────────── conduct ──────────────────────────────────────────────

    function check_conduct__checkedDeadlines__areReadBack(uint40[4] calldata d) external pure {
        assume(d[0] < d[1] && d[1] < d[2] && d[2] < d[3] && d[3] - d[0] <= 365 days);
        uint256[] memory expected = new uint256[](11);
        for (uint256 i; i < 4; ++i) {
            expected[i] = d[i];
        }
        expected[5] = uint256(Status.Open);
        assertSame(fields(ConductLibrary.pack(d[0], d[1], d[2], d[3])), expected);
    }

    function check_conduct__anyStatus__isSet(Conduct conduct, Status status) external pure {
        uint256[] memory expected = fields(conduct);
        expected[5] = uint256(status);
        assertSame(fields(conduct.withStatus(status)), expected);
    }

    function check_conduct__anyModelSelectedOrLive__isSet(Conduct conduct, uint256 model) external pure {
        assume(model < 64);
        uint256[] memory expected = fields(conduct);
        uint256 live = expected[4];
        expected[6] = model;
        assertSame(fields(conduct.withSelected(model)), expected);
        expected = fields(conduct);
        expected[4] = live | 2 ** model;
        assertSame(fields(conduct.withLive(model)), expected);
    }

    function check_conduct__oneRecorderMore__isCounted(Conduct conduct) external pure {
        assume(conduct.recorders() < MAX_COMMITTED);
        uint256[] memory expected = fields(conduct);
        ++expected[7];
        assertSame(fields(conduct.withRecorder()), expected);
    }

    function check_conduct__oneVoteMore__isCounted(Conduct conduct, bool punish) external pure {
        assume(conduct.votesCast() < MAX_COMMITTED && conduct.votesFor() <= conduct.votesCast());
        uint256[] memory expected = fields(conduct);
        expected[8] += number(punish);
        ++expected[9];
        assertSame(fields(conduct.withVote(punish)), expected);
    }

    function check_conduct__guided__saysSo(Conduct conduct) external pure {
        uint256[] memory expected = fields(conduct);
        expected[10] = 1;
        assertSame(fields(conduct.withGuided()), expected);
    }

    // ───────────────────────────────────────────── draw ────────────────────────────────────────────────

    function check_draw__checkedParams__areReadBack(uint64 theta, uint256 threshold, uint256 models) external pure {
        assume(threshold < 10_000 && models <= 64);
        uint256[] memory expected = new uint256[](5);
        (expected[2], expected[3], expected[4]) = (theta, threshold, models);
        assertSame(fields(DrawLibrary.pack(theta, threshold, models)), expected);
    }

    /// @notice One step of an induction: k members' points are at most k (2^32 − 1).
    function check_draw__oneMembersPoints__areAdded(Draw draw, uint32 points, uint256 k) external pure {
        assume(k < MAX_COMMITTED);
        for (uint256 side; side < 2; ++side) {
            assume(draw.points(side) <= k * type(uint32).max);
            uint256[] memory expected = fields(draw);
            expected[side] += points;
            assertSame(fields(draw.withPoints(side, points)), expected);
            assert(expected[side] <= (k + 1) * type(uint32).max);
        }
    }
}
