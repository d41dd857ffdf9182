// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface Assume {
    function assume(bool condition) external pure;
}

/// @title What every proof is made of
/// @notice `halmos` runs each `check_…` with all of its arguments unknown and looks for values that make an `assert` fail: "passed"
/// means that there are none, within what `assume` allows. A path that reverts asserts nothing.
abstract contract Proof {
    Assume private constant VM = Assume(address(uint160(uint256(keccak256("hevm cheat code")))));

    function assume(bool condition) internal pure {
        VM.assume(condition);
    }

    /// @dev What a packed word holds, field by field, against what it should.
    function assertSame(uint256[] memory actual, uint256[] memory expected) internal pure {
        assert(actual.length == expected.length);
        for (uint256 i; i < actual.length; ++i) {
            assert(actual[i] == expected[i]);
        }
    }

    function number(bool yes) internal pure returns (uint256) {
        return yes ? 1 : 0;
    }
}
