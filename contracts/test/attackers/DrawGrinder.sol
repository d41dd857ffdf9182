// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "../../interfaces/IHCFL.sol";

/// @title A caller that keeps a draw only if it likes the claimant
contract DrawGrinder {
    /// @notice The draw has been taken back. The next block has another.
    error DoesNotSuit(uint256 ordinal);

    /// @notice Draws the base station of this ordinal, or none.
    function drawOnly(IHCFL market, uint256 roundId, uint256 ordinal) external {
        market.drawClaimant(roundId);
        uint256 drawn = market.roundOf(roundId).claimant;
        if (drawn != ordinal) revert DoesNotSuit(drawn);
    }
}
