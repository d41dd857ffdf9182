// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Fields of packed words
/// @dev A field is `width` bits from bit `offset`. Writers trust that `value` fits: `_checkTerms`, MAX_COMMITTED, 64 models and the
/// enums see to it.
library Bits {
    function get(uint256 word, uint256 offset, uint256 width) internal pure returns (uint256) {
        return (word >> offset) & ((1 << width) - 1);
    }

    function set(uint256 word, uint256 offset, uint256 width, uint256 value) internal pure returns (uint256) {
        return (word & ~(((1 << width) - 1) << offset)) | (value << offset);
    }

    function flag(uint256 word, uint256 offset) internal pure returns (bool) {
        return (word >> offset) & 1 == 1;
    }

    function raise(uint256 word, uint256 offset) internal pure returns (uint256) {
        return word | (1 << offset);
    }
}
