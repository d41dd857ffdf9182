// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Arrays of words without bounds checks
/// @dev For the inner loops, whose callers have checked the length once. Every formula stands above its assembly.
library Words {
    /// @dev `a[i]`, i < a.length.
    function get(uint256[] memory a, uint256 i) internal pure returns (uint256 word) {
        // Memory holds the length first: word i is at a + 32 + 32 i.
        assembly ("memory-safe") {
            word := mload(add(add(a, 0x20), shl(5, i)))
        }
    }

    /// @dev `a[i] = word`, i < a.length.
    function put(uint256[] memory a, uint256 i, uint256 word) internal pure {
        // Memory holds the length first: word i is at a + 32 + 32 i.
        assembly ("memory-safe") {
            mstore(add(add(a, 0x20), shl(5, i)), word)
        }
    }

    /// @dev `a[i]`, i < a.length.
    function atCalldata(uint256[] calldata a, uint256 i) internal pure returns (uint256 word) {
        // Word i is at a.offset + 32 i.
        assembly ("memory-safe") {
            word := calldataload(add(a.offset, shl(5, i)))
        }
    }

    /// @dev `keccak256(abi.encodePacked(a[from:from + count]))`, from + count ≤ a.length.
    function hash(uint256[] calldata a, uint256 from, uint256 count) internal pure returns (bytes32 digest) {
        // keccak256 of the 32 count bytes at a.offset + 32 from, copied to free memory.
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, add(a.offset, shl(5, from)), shl(5, count))
            digest := keccak256(free, shl(5, count))
        }
    }
}
