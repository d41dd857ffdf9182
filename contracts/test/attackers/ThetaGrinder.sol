// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "../../interfaces/IHCFL.sol";

/// @title A creator that keeps a round only if its θ suits it
contract ThetaGrinder {
    /// @notice The round has been taken back. The next block has another θ.
    error DoesNotSuit(uint256 thetaNumerator);

    /// @notice Creates a round whose θ is below `limit / 2^64`, or none.
    function createBelow(IHCFL market, IHCFL.RoundParams calldata params, uint256 limit) external {
        uint256 roundId = market.createRound(params);
        uint256 thetaNumerator = market.roundOf(roundId).thetaNumerator;
        if (thetaNumerator >= limit) revert DoesNotSuit(thetaNumerator);
    }
}
