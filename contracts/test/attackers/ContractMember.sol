// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A member whose account is a contract
/// @notice It makes several calls in one transaction, and calls back while it is being paid.
contract ContractMember {
    struct Step {
        uint256 value;
        bytes data;
    }

    struct Outcome {
        bool success;
        bytes returned;
    }

    /// @notice The ether that the contract which paid still held while it paid last, wei.
    uint256 public heldWhenPaid;
    /// @notice How often ether has arrived.
    uint256 public payments;

    address private _target;
    Step[] private _steps;
    Outcome[] private _outcomes;

    /// @notice Sets what to call, in this order, when ether arrives next. Failures are kept, not passed on.
    function arm(address target, Step[] calldata steps) external {
        _target = target;
        delete _steps;
        delete _outcomes;
        for (uint256 i; i < steps.length; ++i) {
            _steps.push(steps[i]);
        }
    }

    /// @notice Makes calls one after the other in this transaction; fails as the first that fails.
    function run(address target, Step[] calldata steps) external payable {
        for (uint256 i; i < steps.length; ++i) {
            (bool success, bytes memory returned) = target.call{value: steps[i].value}(steps[i].data);
            if (!success) {
                // revert(returned): the error's own data, without its length.
                assembly ("memory-safe") {
                    revert(add(returned, 0x20), mload(returned))
                }
            }
        }
    }

    /// @notice What the calls made while it was paid came to.
    function outcomes() external view returns (Outcome[] memory) {
        return _outcomes;
    }

    receive() external payable {
        ++payments;
        heldWhenPaid = msg.sender.balance;
        // Calls back once: without end it would only run out of gas.
        address target = _target;
        _target = address(0);
        if (target == address(0)) return;
        for (uint256 i; i < _steps.length; ++i) {
            (bool success, bytes memory returned) = target.call{value: _steps[i].value}(_steps[i].data);
            _outcomes.push(Outcome(success, returned));
        }
    }
}
