// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "../interfaces/IHCFL.sol";

/// @dev A side of the market as an index into sums and counters: its role as a number, which is compared without the range check
/// that Solidity makes wherever it meets an enum.
uint256 constant OWNERS = uint256(Role.Owner);
uint256 constant STATIONS = uint256(Role.BaseStation);
