// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHCFL} from "./interfaces/IHCFL.sol";

/// @title Accounts and the only code that moves ether
/// @notice Every account has one free balance. Rounds take locks out of it and give settlements back to it; ether leaves by
/// `withdraw` alone, at its owner's word alone, so that no receiver can hold up anybody else.
abstract contract Escrow is IHCFL {
    mapping(address account => uint256 amount) public freeBalance;

    function deposit() external payable {
        freeBalance[msg.sender] += msg.value;
        emit Deposited(msg.sender, msg.value);
    }

    function withdraw(uint256 amount, address to) external {
        if (to == address(0)) revert TransferFailed(to, amount);
        _debit(msg.sender, amount);
        emit Withdrawn(msg.sender, to, amount);
        // The balance is lowered first: who re-enters finds only what is left. The receiver may be a contract that needs more than
        // the gas of `transfer`; whether it took the ether is checked.
        // slither-disable-next-line low-level-calls
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to, amount);
    }

    /// @dev Takes `lock` wei from the caller: the value sent first, then its free balance; a surplus becomes free.
    /// Sending the exact value leaves the account's slot untouched.
    function _collectLock(uint256 lock) internal {
        if (msg.value < lock) {
            _debit(msg.sender, lock - msg.value);
        } else if (msg.value > lock) {
            _credit(msg.sender, msg.value - lock);
        }
    }

    function _credit(address account, uint256 amount) internal {
        if (amount != 0) freeBalance[account] += amount;
    }

    function _debit(address account, uint256 amount) private {
        uint256 available = freeBalance[account];
        if (available < amount) revert InsufficientBalance(available, amount);
        unchecked {
            freeBalance[account] = available - amount;
        }
    }
}
