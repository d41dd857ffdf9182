// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL, Status} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev How the round goes: the word that the selection, recording, the report and the vote write; all that a record or a vote reads
/// beside its member.
///
///   247 free 9 | 233 accuracy 14 | 213 votesCast 20 | 193 votesUphold 20 | 173 votesPunish 20 | 153 finished 20 | 133 recorders 20 |
///   124 globalRounds 9 | 118 selected 6 | 115 status 3 | 90 voteAfter 25 | 65 reportAfter 25 | 40 trainAfter 25 | 0 selectDeadline 40
///
/// `globalRounds` is T of the selected model. `recorders` have recorded a global round, `finished` all of them. `accuracy` is 1/10,000:
/// until the report the tolerance, then the claimed accuracy less it. Each `…After` is seconds after the select deadline.
type Conduct is uint256;

using ConductLibrary for Conduct global;

library ConductLibrary {
    using Bits for uint256;

    uint256 private constant TRAIN_AFTER = 40;
    uint256 private constant REPORT_AFTER = 65;
    uint256 private constant VOTE_AFTER = 90;
    uint256 private constant STATUS = 115;
    uint256 private constant SELECTED = 118;
    uint256 private constant GLOBAL_ROUNDS = 124;
    uint256 private constant RECORDERS = 133;
    uint256 private constant FINISHED = 153;
    uint256 private constant VOTES_PUNISH = 173;
    uint256 private constant VOTES_UPHOLD = 193;
    uint256 private constant VOTES_CAST = 213;
    uint256 private constant ACCURACY = 233;

    /// @dev Deadlines increase and end within a year: differences are below 2^25.
    function pack(IHCFL.RoundTerms calldata t) internal pure returns (Conduct) {
        IHCFL.Deadlines calldata d = t.deadlines;
        return Conduct.wrap(
            d.select | (uint256(d.train - d.select) << TRAIN_AFTER) | (uint256(d.report - d.select) << REPORT_AFTER)
                | (uint256(d.vote - d.select) << VOTE_AFTER) | (uint256(Status.Open) << STATUS)
                | (uint256(t.toleranceBps) << ACCURACY)
        );
    }

    function selectDeadline(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(0, 40);
    }

    function trainDeadline(Conduct self) internal pure returns (uint256) {
        return self.selectDeadline() + Conduct.unwrap(self).get(TRAIN_AFTER, 25);
    }

    function reportDeadline(Conduct self) internal pure returns (uint256) {
        return self.selectDeadline() + Conduct.unwrap(self).get(REPORT_AFTER, 25);
    }

    function voteDeadline(Conduct self) internal pure returns (uint256) {
        return self.selectDeadline() + Conduct.unwrap(self).get(VOTE_AFTER, 25);
    }

    function status(Conduct self) internal pure returns (Status) {
        return Status(Conduct.unwrap(self).get(STATUS, 3));
    }

    function selected(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(SELECTED, 6);
    }

    function globalRounds(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(GLOBAL_ROUNDS, 9);
    }

    function recorders(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(RECORDERS, 20);
    }

    function finished(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(FINISHED, 20);
    }

    /// @dev The votes for either verdict.
    function verdicts(Conduct self) internal pure returns (uint256 punish, uint256 uphold) {
        return (Conduct.unwrap(self).get(VOTES_PUNISH, 20), Conduct.unwrap(self).get(VOTES_UPHOLD, 20));
    }

    function votesCast(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(VOTES_CAST, 20);
    }

    /// @dev The tolerance until the report; then what a measured accuracy must reach, if the winner is not to be punished. 1/10,000.
    function accuracy(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(ACCURACY, 14);
    }

    function withStatus(Conduct self, Status status_) internal pure returns (Conduct) {
        return Conduct.wrap(Conduct.unwrap(self).set(STATUS, 3, uint256(status_)));
    }

    /// @dev A model's index is below 64, its global rounds at most 256. Once.
    function withSelected(Conduct self, uint256 model, uint256 globalRounds_) internal pure returns (Conduct) {
        uint256 word = Conduct.unwrap(self) | (model << SELECTED) | (globalRounds_ << GLOBAL_ROUNDS);
        return Conduct.wrap(word).withStatus(Status.Training);
    }

    /// @dev A base station is added once to each, with its first and its last record: at most MAX_COMMITTED.
    function withRecord(Conduct self, bool first, bool last) internal pure returns (Conduct) {
        uint256 word = Conduct.unwrap(self);
        if (first) word += 1 << RECORDERS;
        return Conduct.wrap(last ? word + (1 << FINISHED) : word);
    }

    /// @dev No measured accuracy is above 10,000: a larger claim less the tolerance is as good as 10,001.
    function withClaim(Conduct self, uint256 claimedBps) internal pure returns (Conduct) {
        unchecked {
            uint256 tolerance = self.accuracy();
            uint256 required = claimedBps > tolerance ? claimedBps - tolerance : 0;
            if (required > 10_001) required = 10_001;
            return Conduct.wrap(Conduct.unwrap(self).set(ACCURACY, 14, required)).withStatus(Status.Reported);
        }
    }

    /// @dev Each elector votes once: at most MAX_COMMITTED.
    function withVote(Conduct self, bool punish, bool uphold) internal pure returns (Conduct) {
        unchecked {
            uint256 word = Conduct.unwrap(self) + (1 << VOTES_CAST);
            if (punish) word += 1 << VOTES_PUNISH;
            if (uphold) word += 1 << VOTES_UPHOLD;
            return Conduct.wrap(word);
        }
    }
}
