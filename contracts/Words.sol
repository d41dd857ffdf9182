// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Arrays of words without bounds checks
/// @dev For the inner loops, whose callers have checked the length once. Every formula stands above its assembly.
library Words {
    /// @dev `new uint256[](length)` with whatever is in memory for its words: the caller puts each.
    function allocate(uint256 length) internal pure returns (uint256[] memory a) {
        // The length first, then the words: free memory moves on by 32 (length + 1).
        assembly ("memory-safe") {
            a := mload(0x40)
            mstore(a, length)
            mstore(0x40, add(a, shl(5, add(length, 1))))
        }
    }

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

    /// @dev `keccak256(abi.encodePacked(a[from:from + count]))`, from + count ≤ a.length.
    function hash(uint256[] calldata a, uint256 from, uint256 count) internal pure returns (bytes32 digest) {
        // keccak256 of the 32 count bytes at a.offset + 32 from, copied to free memory.
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, add(a.offset, shl(5, from)), shl(5, count))
            digest := keccak256(free, shl(5, count))
        }
    }

    /// @dev `a[i]`, i < 17.
    function atStorage(uint256[17] storage a, uint256 i) internal view returns (uint256 word) {
        // Word i is in slot a + i.
        assembly ("memory-safe") {
            word := sload(add(a.slot, i))
        }
    }

    /// @dev `a[i] += amount`, i < 17, without an overflow check.
    function increase(uint256[17] storage a, uint256 i, uint256 amount) internal {
        // Word i is in slot a + i.
        assembly ("memory-safe") {
            let slot := add(a.slot, i)
            sstore(slot, add(sload(slot), amount))
        }
    }
}
