// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClarkeTax} from "../ClarkeTax.sol";
import {IHCFL} from "../interfaces/IHCFL.sol";
import {Conduct} from "./Conduct.sol";
import {Draw} from "./Draw.sol";
import {Ledger} from "./Ledger.sol";
import {Member} from "./Member.sol";
import {Terms} from "./Terms.sol";

/// @dev What one side's settled members and slashes have put aside for its rebates, wei.
/// inside: put in by members of the side; outside: by others.
struct Pot {
    uint128 inside;
    uint128 outside;
}

/// @dev What the winner has reported under Contribution, for the selected model.
/// excess: what the terms of the listed base stations exceed their plain claims by, wei; points: sum of the listed points.
struct Contributions {
    uint128 excess;
    uint128 points;
}

using ContributionsLibrary for Contributions global;

library ContributionsLibrary {
    /// @dev Enters a base station's points in place of its earlier ones (0 at first).
    /// @param claim at the selected model, wei
    function list(Contributions storage self, uint256 claim, uint256 earlier, uint256 points) internal {
        // A term is never below its claim, and what is taken off was added before: nothing underflows.
        Contributions memory listed = self;
        listed.points = listed.points + uint128(points) - uint128(earlier);
        listed.excess = listed.excess + uint128(ClarkeTax.contributionTerm(claim, points))
            - uint128(ClarkeTax.contributionTerm(claim, earlier));
        (self.excess, self.points) = (listed.excess, listed.points);
    }
}

/// @dev One round. The first four slots are read together when members are settled; other calls read one to three of them.
/// Sums: 64 models and the counter in 17 words; 64 terms in 32 words. Written only up to the round's own number of models.
struct Round {
    Ledger ledger; // slot 0
    Terms terms; // slot 1
    Conduct conduct; // slot 2
    Draw draw; // slot 3
    bytes32 membershipRoot; // slot 4, zero: open
    Pot[2] pots; // slots 5, 6, by role
    Contributions contributions; // slot 7
    uint256 partPerRecorder; // slot 8, wei, when aborted
    uint256 globalRounds; // slot 9, bit e: the winner has recorded epoch e
    uint256[17][2] sums; // slots 10 … 43, by role: Lanes, bids
    uint256[32][2] terms128; // slots 44 … 107, by role: Lanes, weighted terms
    mapping(uint256 index => IHCFL.Model) models; // slot 108
    mapping(address account => Member) members; // slot 109
    mapping(address station => uint256 epochs) updates; // slot 110, bit e: it has recorded epoch e
}
