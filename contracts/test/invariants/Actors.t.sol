// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HCFL} from "../../HCFL.sol";
import {IHCFL, Role} from "../../interfaces/IHCFL.sol";

/// @notice A member whose account is a contract. It keeps account of the ether that it gave to the market and got from it.
contract Actor {
    HCFL internal immutable _market;
    address private immutable _handler;

    /// @notice Wei.
    uint256 public given;
    uint256 public taken;

    constructor(HCFL market) {
        _market = market;
        _handler = msg.sender;
    }

    /// @notice Calls the market.
    function act(uint256 value, bytes memory data) external returns (bool success, bytes memory returned) {
        require(msg.sender == _handler);
        return _act(value, data);
    }

    receive() external payable {
        taken += msg.value;
        _onPayment();
    }

    function _act(uint256 value, bytes memory data) internal returns (bool success, bytes memory returned) {
        (success, returned) = address(_market).call{value: value}(data);
        if (success) given += value;
    }

    function _onPayment() internal virtual {}
}

/// @notice Refuses ether.
contract RefusingActor is Actor {
    error NotWanted();

    constructor(HCFL market) Actor(market) {}

    function _onPayment() internal pure override {
        revert NotWanted();
    }
}

/// @notice Makes every call to the market when it is paid, whatever comes of it.
contract ReenteringActor is Actor {
    /// @dev Payments within a payment that it still reacts to.
    uint256 private constant DEPTH = 2;

    /// @notice How many of the calls made while it was paid succeeded.
    uint256 public reentered;
    uint256 private _depth;

    constructor(HCFL market) Actor(market) {}

    /// @notice From now on it only takes its money.
    function rest() external {
        _depth = DEPTH;
    }

    function _onPayment() internal override {
        if (_depth == DEPTH) return;
        ++_depth;
        uint256 free = _market.freeBalance(address(this));
        // Once more what it has, what it had, and as if it had more.
        _try(0, abi.encodeCall(_market.withdraw, (free, address(this))));
        _try(0, abi.encodeCall(_market.withdraw, (msg.value, address(this))));
        _try(0, abi.encodeCall(_market.withdraw, (free + 1, address(this))));
        _try(msg.value / 2, abi.encodeCall(_market.deposit, ()));
        uint256 rounds = _market.roundCount();
        uint256[] memory word = new uint256[](1);
        address[] memory itself = new address[](1);
        itself[0] = address(this);
        for (uint256 r = rounds == 0 ? 1 : rounds; r <= rounds; ++r) {
            _try(0, abi.encodeCall(_market.claimLot, (r)));
            _try(0, abi.encodeCall(_market.settle, (r, address(this), word)));
            _try(0, abi.encodeCall(_market.settleMany, (r, itself, word)));
            _try(0, abi.encodeCall(_market.drawClaimant, (r)));
            _try(0, abi.encodeCall(_market.selectModel, (r)));
            _try(0, abi.encodeCall(_market.commitBid, (r, bytes32(r))));
            _try(0, abi.encodeCall(_market.revealBid, (r, word, bytes32(r))));
            _try(0, abi.encodeCall(_market.recordUpdate, (r, 0, bytes32(r))));
            _try(0, abi.encodeCall(_market.abortTraining, (r)));
            _try(0, abi.encodeCall(_market.vote, (r, 0, true)));
            _try(0, abi.encodeCall(_market.join, (r, bytes32(r), Role.BaseStation, 1, new bytes32[](0))));
        }
        --_depth;
    }

    function _try(uint256 value, bytes memory data) private {
        (bool success,) = _act(value, data);
        if (success) ++reentered;
    }
}
