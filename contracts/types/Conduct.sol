// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Status} from "../interfaces/IHCFL.sol";
import {Bits} from "./Bits.sol";

/// @dev How the round goes: the word that a proposer's commit, the selection, recording, the report and the vote write.
///
///   249 free 7 | 248 guided | 228 votesCast 20 | 208 votesFor 20 | 188 recorders 20 | 182 selected 6 | 179 status 3 |
///   115 live 64 | 90 voteAfter 25 | 65 reportAfter 25 | 40 trainAfter 25 | 0 selectDeadline 40
///
/// Bit m of `live`: the proposer of model m has committed. `guided`: the winner has recorded a global round. `recorders`: base
/// stations that have recorded an update. Each `…After` is seconds after the deadline before, so that no sum overflows.
type Conduct is uint256;

using ConductLibrary for Conduct global;

library ConductLibrary {
    using Bits for uint256;

    uint256 private constant TRAIN_AFTER = 40;
    uint256 private constant REPORT_AFTER = 65;
    uint256 private constant VOTE_AFTER = 90;
    uint256 private constant LIVE = 115;
    uint256 private constant STATUS = 179;
    uint256 private constant SELECTED = 182;
    uint256 private constant RECORDERS = 188;
    uint256 private constant VOTES_FOR = 208;
    uint256 private constant VOTES_CAST = 228;
    uint256 private constant GUIDED = 248;

    /// @dev Deadlines increase and end within a year: differences are below 2^25.
    function pack(uint256 selectDeadline_, uint256 trainDeadline_, uint256 reportDeadline_, uint256 voteDeadline_)
        internal
        pure
        returns (Conduct)
    {
        return Conduct.wrap(
            selectDeadline_ | ((trainDeadline_ - selectDeadline_) << TRAIN_AFTER)
                | ((reportDeadline_ - trainDeadline_) << REPORT_AFTER)
                | ((voteDeadline_ - reportDeadline_) << VOTE_AFTER) | (uint256(Status.Open) << STATUS)
        );
    }

    function selectDeadline(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(0, 40);
    }

    function trainDeadline(Conduct self) internal pure returns (uint256) {
        unchecked {
            return self.selectDeadline() + Conduct.unwrap(self).get(TRAIN_AFTER, 25);
        }
    }

    function reportDeadline(Conduct self) internal pure returns (uint256) {
        unchecked {
            return self.trainDeadline() + Conduct.unwrap(self).get(REPORT_AFTER, 25);
        }
    }

    function voteDeadline(Conduct self) internal pure returns (uint256) {
        unchecked {
            return self.reportDeadline() + Conduct.unwrap(self).get(VOTE_AFTER, 25);
        }
    }

    function live(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(LIVE, 64);
    }

    function status(Conduct self) internal pure returns (Status) {
        return Status(Conduct.unwrap(self).get(STATUS, 3));
    }

    function isAt(Conduct self, Status status_) internal pure returns (bool) {
        return Conduct.unwrap(self).get(STATUS, 3) == uint256(status_);
    }

    function selected(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(SELECTED, 6);
    }

    function recorders(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(RECORDERS, 20);
    }

    function votesFor(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(VOTES_FOR, 20);
    }

    function votesCast(Conduct self) internal pure returns (uint256) {
        return Conduct.unwrap(self).get(VOTES_CAST, 20);
    }

    function guided(Conduct self) internal pure returns (bool) {
        return Conduct.unwrap(self).flag(GUIDED);
    }

    function withLive(Conduct self, uint256 model) internal pure returns (Conduct) {
        return Conduct.wrap(Conduct.unwrap(self).raise(LIVE + model));
    }

    function withStatus(Conduct self, Status status_) internal pure returns (Conduct) {
        return Conduct.wrap(Conduct.unwrap(self).set(STATUS, 3, uint256(status_)));
    }

    /// @dev A model's index is below 64.
    function withSelected(Conduct self, uint256 model) internal pure returns (Conduct) {
        return Conduct.wrap(Conduct.unwrap(self).set(SELECTED, 6, model));
    }

    /// @dev Each base station is added once, each elector votes once: at most MAX_COMMITTED each.
    function withRecorder(Conduct self) internal pure returns (Conduct) {
        unchecked {
            return Conduct.wrap(Conduct.unwrap(self) + (1 << RECORDERS));
        }
    }

    function withVote(Conduct self, bool punish) internal pure returns (Conduct) {
        unchecked {
            return
                Conduct.wrap(Conduct.unwrap(self) + (punish ? (1 << VOTES_CAST) + (1 << VOTES_FOR) : 1 << VOTES_CAST));
        }
    }

    function withGuided(Conduct self) internal pure returns (Conduct) {
        return Conduct.wrap(Conduct.unwrap(self).raise(GUIDED));
    }
}
