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

    /// @dev An amount of whole gwei: what a division is, `gweis · 10^9 / 10^9 = gweis`, is told to the solver, which takes long to find out.
    function assumeWholeGwei(uint256 amount, uint256 gweis) internal pure {
        assume(gweis < 2 ** 64 && amount == gweis * 1 gwei && amount / 1 gwei == gweis);
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
