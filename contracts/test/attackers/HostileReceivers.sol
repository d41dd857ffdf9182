// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A member that takes no ether
contract RefusingReceiver {
    error NotWanted();

    receive() external payable {
        revert NotWanted();
    }
}

/// @title A member that burns all gas it is given
contract GasBurningReceiver {
    receive() external payable {
        for (uint256 i;; ++i) {}
    }
}

/// @title A member that answers with more data than the payer can afford to copy
contract ReturnBombingReceiver {
    receive() external payable {
        // revert(0, 2^18): 256 KB, for which the payer would pay once more if it copied them.
        assembly ("memory-safe") {
            revert(0, 0x40000)
        }
    }
}
