// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL, Policy, Status} from "../../interfaces/IHCFL.sol";
import {Conduct, ConductLibrary} from "../../types/Conduct.sol";
import {Draw, DrawLibrary} from "../../types/Draw.sol";
import {MAX_COMMITTED} from "../../types/Ledger.sol";
import {Member} from "../../types/Member.sol";
import {OWNERS, STATIONS} from "../../types/Side.sol";
import {MAX_BOND, MAX_CAP, Terms, TermsLibrary} from "../../types/Terms.sol";
import {Proof} from "./Proof.t.sol";

/// @title The fields of a round's other words, for all words: what is written is read back, and no write touches a neighbour
contract RoundWordsProof is Proof {
    function fields(Terms terms) private pure returns (uint256[] memory f) {
        f = new uint256[](10);
        (f[0], f[1]) = (terms.commitDeadline(), terms.revealDeadline());
        (f[2], f[3], f[4]) = (terms.cap(OWNERS), terms.cap(STATIONS), terms.bond());
        (f[5], f[6], f[7]) = (terms.maxModels(), terms.modelCount(), terms.claimant());
        (f[8], f[9]) = (number(terms.isWeighted()), number(terms.isStaked()));
    }

    function fields(Conduct conduct) private pure returns (uint256[] memory f) {
        f = new uint256[](13);
        (f[0], f[1]) = (conduct.selectDeadline(), conduct.trainDeadline());
        (f[2], f[3]) = (conduct.reportDeadline(), conduct.voteDeadline());
        (f[4], f[5], f[6]) = (uint256(conduct.status()), conduct.selected(), conduct.globalRounds());
        (f[7], f[8], f[9]) = (conduct.recorders(), conduct.finished(), conduct.accuracy());
        (f[10], f[11]) = conduct.verdicts();
        f[12] = conduct.votesCast();
    }

    function fields(Draw draw) private pure returns (uint256[] memory f) {
        f = new uint256[](8);
        (f[0], f[1], f[2]) = (draw.theta(), draw.live(), draw.stake());
        (f[3], f[4]) = (draw.thresholdBps(), draw.toleranceBps());
        (f[5], f[6]) = draw.surplusBps();
        f[7] = draw.listed();
    }

    // ───────────────────────────────────────────── terms ───────────────────────────────────────────────

    /// @dev What `_checkTerms` lets through, of the fields that `TermsLibrary.pack` reads.
    function assumeChecked(IHCFL.RoundTerms calldata t) private pure {
        assume(t.deadlines.commit < t.deadlines.reveal && t.deadlines.reveal - t.deadlines.commit <= 365 days);
        assume(t.maxOwnerBid <= MAX_CAP && t.maxStationBid <= MAX_CAP && t.maxModels <= 64);
    }

    function check_terms__checked__areReadBack(IHCFL.RoundTerms calldata t, uint256 bond) external pure {
        assumeChecked(t);
        assumeWholeGwei(t.bond, bond);
        assume(t.bond <= MAX_BOND);
        uint256[] memory expected = new uint256[](10);
        (expected[0], expected[1]) = (t.deadlines.commit, t.deadlines.reveal);
        (expected[2], expected[3], expected[4]) = (t.maxOwnerBid, t.maxStationBid, t.bond);
        expected[5] = t.maxModels;
        (expected[8], expected[9]) = (number(t.ownerPolicy == Policy.Capability), number(t.contributionStake != 0));
        assertSame(fields(TermsLibrary.pack(t)), expected);
    }

    /// @notice The draw's window is a minute at least, and leaves as long to reveal as there was to the draw's end.
    function check_terms__revealPhaseOfFourMinutes__hasRoomForTheDraw(Terms terms) external pure {
        assume(terms.revealDeadline() >= terms.commitDeadline() + 240);
        assert(terms.drawDeadline() >= terms.commitDeadline() + 60 + 60);
        assert(terms.revealDeadline() - terms.drawDeadline() >= terms.drawDeadline() - terms.commitDeadline());
    }

    function check_terms__oneModelMore__isCounted(Terms terms) external pure {
        assume(terms.modelCount() < 64);
        uint256[] memory expected = fields(terms);
        ++expected[6];
        assertSame(fields(terms.withModel()), expected);
    }

    function check_terms__claimantDrawn__isSet(Terms terms, uint256 ordinal, Member member) external pure {
        assume(!terms.isDrawn() && ordinal != 0 && ordinal < 2 ** 20);
        uint256[] memory expected = fields(terms);
        expected[7] = ordinal;
        assertSame(fields(terms.withClaimant(ordinal)), expected);
        assert(!terms.isClaimant(member));
        assert(terms.withClaimant(ordinal).isClaimant(member) == (member.ordinal() == ordinal));
    }

    /// @notice `maxOwnerBid (1 + p)` of an owner, `maxStationBid` of a base station, and small enough for what is added to it.
    function check_terms__largestPayment__isWhatThePageSays(Terms terms, uint32 points) external pure {
        unchecked {
            // 44, 33 and 30 bits: no product is as large as a word.
            assert(terms.largestPayment(OWNERS, points) == terms.cap(OWNERS) * (1 + uint256(points)) * 1 gwei);
            assert(terms.largestPayment(STATIONS, points) == terms.cap(STATIONS) * 1 gwei);
            assert(terms.largestPayment(OWNERS, points) < 2 ** 107);
        }
    }

    // ──────────────────────────────────────────── conduct ──────────────────────────────────────────────

    function check_conduct__checkedTerms__areReadBack(IHCFL.RoundTerms calldata t) external pure {
        IHCFL.Deadlines calldata d = t.deadlines;
        assume(d.select < d.train && d.train < d.report && d.report < d.vote && d.vote - d.select <= 365 days);
        assume(t.toleranceBps <= 9_999);
        uint256[] memory expected = new uint256[](13);
        (expected[0], expected[1], expected[2], expected[3]) = (d.select, d.train, d.report, d.vote);
        (expected[4], expected[9]) = (uint256(Status.Open), t.toleranceBps);
        assertSame(fields(ConductLibrary.pack(t)), expected);
    }

    function check_conduct__anyStatus__isSet(Conduct conduct, Status status) external pure {
        uint256[] memory expected = fields(conduct);
        expected[4] = uint256(status);
        assertSame(fields(conduct.withStatus(status)), expected);
    }

    /// @notice A model is selected once: none is named yet.
    function check_conduct__modelSelected__isSet(Conduct conduct, uint256 model, uint256 globalRounds) external pure {
        assume(model < 64 && globalRounds <= 256 && conduct.selected() == 0 && conduct.globalRounds() == 0);
        uint256[] memory expected = fields(conduct);
        (expected[4], expected[5], expected[6]) = (uint256(Status.Training), model, globalRounds);
        assertSame(fields(conduct.withSelected(model, globalRounds)), expected);
    }

    function check_conduct__firstOrLastRecord__isCounted(Conduct conduct, bool first, bool last) external pure {
        assume(conduct.recorders() < MAX_COMMITTED && conduct.finished() < MAX_COMMITTED);
        uint256[] memory expected = fields(conduct);
        expected[7] += number(first);
        expected[8] += number(last);
        assertSame(fields(conduct.withRecord(first, last)), expected);
    }

    /// @notice A report stores what decides a vote: any accuracy misses the claim by more than the tolerance exactly if it is below it.
    function check_conduct__anyClaim__decidesAsThePageSays(Conduct conduct, uint16 claimed, uint256 measured)
        external
        pure
    {
        uint256 tolerance = conduct.accuracy();
        assume(tolerance <= 9_999 && measured <= 10_000);
        uint256[] memory expected = fields(conduct);
        Conduct reported = conduct.withClaim(claimed);
        (expected[4], expected[9]) = (uint256(Status.Reported), reported.accuracy());
        assertSame(fields(reported), expected);
        assert((measured < reported.accuracy()) == (measured + tolerance < claimed));
    }

    function check_conduct__oneVoteMore__isCounted(Conduct conduct, bool punish, bool uphold) external pure {
        uint256[] memory expected = fields(conduct);
        assume(expected[12] < MAX_COMMITTED && expected[10] <= expected[12] && expected[11] <= expected[12]);
        expected[10] += number(punish);
        expected[11] += number(uphold);
        ++expected[12];
        assertSame(fields(conduct.withVote(punish, uphold)), expected);
    }

    // ───────────────────────────────────────────── draw ────────────────────────────────────────────────

    function check_draw__checkedTerms__areReadBack(IHCFL.RoundTerms calldata t, uint256 stake) external pure {
        assumeWholeGwei(t.contributionStake, stake);
        assume(stake <= MAX_CAP);
        assume(t.thresholdBps <= 9_999 && t.toleranceBps <= 9_999);
        assume(t.surplusMinBps <= t.surplusMaxBps && t.surplusMaxBps <= 9_999);
        uint256[] memory expected = new uint256[](8);
        (expected[2], expected[3], expected[4]) = (t.contributionStake, t.thresholdBps, t.toleranceBps);
        (expected[5], expected[6]) = (t.surplusMinBps, t.surplusMaxBps);
        assertSame(fields(DrawLibrary.pack(t)), expected);
    }

    /// @notice θ is drawn once: its numerator is `quotient = (lo · 2^64 + (hi − lo) · u) / 10,000`, which fits its field by the next proof.
    function check_draw__theta__isTheQuotient(Draw draw, uint64 u, uint64 quotient) external pure {
        (uint256 lo, uint256 hi) = draw.surplusBps();
        assume(draw.theta() == 0);
        unchecked {
            // To the solver a division is just a function.
            assume(((lo << 64) + (hi - lo) * u) / 10_000 == quotient);
        }
        uint256[] memory expected = fields(draw);
        expected[0] = quotient;
        assertSame(fields(draw.withTheta(u)), expected);
    }

    /// @notice What is divided lies between `lo · 2^64` and `hi · 2^64`.
    function check_draw__theta__liesInItsRange(uint16 lo, uint16 hi, uint64 u) external pure {
        assume(lo <= hi && hi <= 9_999);
        uint256 divided = (uint256(lo) << 64) + uint256(hi - lo) * u;
        assert(divided >= uint256(lo) << 64 && divided <= uint256(hi) << 64);
    }

    function check_draw__liveModel__isSet(Draw draw, uint256 model) external pure {
        assume(model < 64);
        uint256[] memory expected = fields(draw);
        expected[1] |= 2 ** model;
        assertSame(fields(draw.withLive(model)), expected);
    }

    /// @notice Base stations that are listed with at most `2,000,000 / n` points each, n of them at most, have no more than fits.
    function check_draw__listedPoints__areSet(Draw draw, uint24 n, uint24 most, uint256 sum) external pure {
        assume(uint256(most) * n <= 2_000_000 && sum <= uint256(most) * n);
        assert(sum < 2 ** 21);
        uint256[] memory expected = fields(draw);
        expected[7] = sum;
        assertSame(fields(draw.withListed(sum)), expected);
    }
}
