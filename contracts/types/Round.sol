// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "../interfaces/IHCFL.sol";
import {Conduct} from "./Conduct.sol";
import {Draw} from "./Draw.sol";
import {Ledger} from "./Ledger.sol";
import {Member} from "./Member.sol";
import {Terms} from "./Terms.sol";

/// @dev One round. The first four slots are read together when members are settled; other calls read one to three of them.
/// Sums: 64 models and the counter in 17 words, written only up to the round's own number of models.
struct Round {
    Ledger ledger; // slot 0
    Terms terms; // slot 1
    Conduct conduct; // slot 2
    Draw draw; // slot 3
    bytes32 door; // slot 4, `IHCFL.doorOf`
    uint256 lot; // slot 5, wei for the claimant
    uint256[17][2] sums; // slots 6 … 39, by role: Lanes, bids
    mapping(uint256 index => IHCFL.Model) models; // slot 40
    mapping(address account => Member) members; // slot 41
}
