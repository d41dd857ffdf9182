// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HCFL} from "../../HCFL.sol";
import {IHCFL, Phase, Stage, Status} from "../../interfaces/IHCFL.sol";
import {Actor} from "./Actors.t.sol";
import {Handler} from "./Handler.t.sol";
import {Move} from "./Moves.t.sol";

/// @title What holds after any calls by anybody (contracts/invariants.md)
/// @dev `forge test --match-path 'contracts/test/invariants/*'`. Forge calls the handler's functions at random and checks every
/// invariant after each call; a revert of the handler counts as a failure too.
contract InvariantsTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    event log_named_uint(string what, uint256 times);

    uint256 private constant ACTORS = 8;
    /// @dev Wei that a member's share, or reward and stake, may leave over.
    uint256 private constant DUST = 2;

    HCFL private market;
    Handler private handler;

    error Owes(uint256 holds, uint256 free, uint256 escrow);
    error NotAsLogged(uint256 round, address account, uint256 actual, uint256 logged);
    error TookTooMuch(address account, uint256 has, uint256 due);
    error Deficit(uint256 round, uint256 collected, uint256 paid);
    error WentBack();
    error Misadded();
    error KeepsTooLittle(uint256 round, uint256 kept, uint256 least);
    error KeepsMoreThanDust(uint256 round, uint256 dust);
    error Stuck(uint256 round, address account, Stage stage);
    error NotReached(string what);

    function setUp() external {
        market = new HCFL();
        handler = new Handler(market);
    }

    /// @dev Forge asks for what to call.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev All but `finish`, which is for the end of a run.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = Handler.create.selector;
        selectors[1] = Handler.everybody.selector;
        selectors[2] = Handler.everybodyAndOn.selector;
        selectors[3] = Handler.one.selector;
        selectors[4] = Handler.anything.selector;
        selectors[5] = Handler.wait.selector;
        selectors[6] = Handler.deposit.selector;
        selectors[7] = Handler.withdraw.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    // ─────────────────────────────────────────── invariants ────────────────────────────────────────────

    /// @notice All of them: forge walks anew for each function of this kind.
    function invariant_all() public view {
        _marketHoldsWhatItOwes();
        _balancesAreWhatTheLogsTell();
        _nobodyTakesMoreThanItsOwn();
        _noDeficit();
        _nothingGoesBack();
        _sumsAreOfTheBids();
        _lotsAreTheTaxes();
        _roundsKeepWhatIsNobodys();
    }

    /// @notice The market's ether is what it owes: free balances and escrows.
    function _marketHoldsWhatItOwes() private view {
        (uint256 free, uint256 escrow) = (0, 0);
        for (uint256 i; i < ACTORS; ++i) {
            free += market.freeBalance(_actor(i));
        }
        for (uint256 r = 1; r <= market.roundCount(); ++r) {
            escrow += market.roundOf(r).escrow;
        }
        if (address(market).balance != free + escrow) revert Owes(address(market).balance, free, escrow);
    }

    /// @notice Every free balance and every escrow is what the logs tell.
    function _balancesAreWhatTheLogsTell() private view {
        for (uint256 i; i < ACTORS; ++i) {
            (uint256 actual, uint256 logged) = (market.freeBalance(_actor(i)), handler.free(_actor(i)));
            if (actual != logged) revert NotAsLogged(0, _actor(i), actual, logged);
        }
        for (uint256 r = 1; r <= market.roundCount(); ++r) {
            (uint256 actual, uint256 logged) = (market.roundOf(r).escrow, handler.escrow(r));
            if (actual != logged) revert NotAsLogged(r, address(0), actual, logged);
        }
    }

    /// @notice What an actor has taken out, has free and has locked is what it gave and gained less what it owed: never more.
    function _nobodyTakesMoreThanItsOwn() private view {
        for (uint256 i; i < ACTORS; ++i) {
            Actor actor = Actor(payable(_actor(i)));
            uint256 has = actor.taken() + market.freeBalance(address(actor));
            uint256 due = actor.given();
            for (uint256 r = 1; r <= market.roundCount(); ++r) {
                has += handler.locked(r, address(actor)) + handler.collected(r, address(actor));
                due += handler.paid(r, address(actor));
            }
            if (has != due) revert TookTooMuch(address(actor), has, due);
        }
    }

    /// @notice A round never pays, beyond locks, what it has not collected, once all its members are settled.
    function _noDeficit() private view {
        for (uint256 r = 1; r <= market.roundCount(); ++r) {
            (uint256 collected, uint256 paid, uint256 locked) = (0, 0, 0);
            for (uint256 i; i < ACTORS; ++i) {
                collected += handler.collected(r, _actor(i));
                paid += handler.paid(r, _actor(i));
                locked += handler.locked(r, _actor(i));
            }
            if (locked == 0 && collected < paid) revert Deficit(r, collected, paid);
            if (market.roundOf(r).escrow + paid != locked + collected) revert Deficit(r, collected, paid);
        }
    }

    /// @notice No member's stage, side or flag, no round's status or phase goes back.
    function _nothingGoesBack() private view {
        if (handler.wentBack()) revert WentBack();
    }

    /// @notice The sums are those of the bids that were revealed.
    function _sumsAreOfTheBids() private view {
        if (handler.misadded()) revert Misadded();
    }

    /// @notice A lot is the taxes that have come in, less what the claimant has taken of them.
    function _lotsAreTheTaxes() private view {
        for (uint256 r = 1; r <= market.roundCount(); ++r) {
            if (market.lotOf(r) != handler.lot(r)) revert NotAsLogged(r, address(0), market.lotOf(r), handler.lot(r));
        }
    }

    /// @notice Once all who joined are settled, a round keeps beside its lot what was taken for misconduct and what was not earned, paid
    /// to nobody, and the dust of rounded shares, rewards and stakes.
    function _roundsKeepWhatIsNobodys() private view {
        for (uint256 r = 1; r <= market.roundCount(); ++r) {
            (uint256 slashed, uint256 locked) = (0, 0);
            IHCFL.RoundView memory v = market.roundOf(r);
            for (uint256 i; i < ACTORS; ++i) {
                locked += handler.locked(r, _actor(i));
                slashed += handler.slashed(r, _actor(i));
            }
            if (locked != 0) continue;
            (uint256 kept, uint256 least) = (v.escrow - v.lot, slashed + handler.forfeited(r));
            if (kept < least) revert KeepsTooLittle(r, kept, least);
            if (kept - least > DUST * ACTORS) revert KeepsMoreThanDust(r, kept - least);
        }
    }

    /// @dev Forge calls it once at the end of each run: anybody can end every round, and all who take ether get theirs.
    function afterInvariant() external {
        _end();
    }

    // ─────────────────────────────────────────── reach ─────────────────────────────────────────────────

    /// @notice The handler comes everywhere: in many random calls every move succeeds and fails, and rounds come to every status.
    function test_handler__manyRandomCalls__everyMoveSucceedsAndEveryStatusComes() external {
        uint256[22] memory reached;
        for (uint256 run; run < 12; ++run) {
            market = new HCFL();
            handler = new Handler(market);
            for (uint256 n; n < 100; ++n) {
                _random(uint256(keccak256(abi.encode(run, n))));
            }
            _end();
            for (uint256 m; m <= uint256(type(Move).max); ++m) {
                reached[m] += handler.done(Move(m));
            }
            for (uint256 s = 2; s <= uint256(type(Status).max); ++s) {
                reached[14 + s] += handler.came(Status(s));
            }
            reached[21] += handler.reentered();
        }
        string[22] memory names = [
            "join",
            "propose",
            "commitBid",
            "joinAndCommit",
            "drawClaimant",
            "revealBid",
            "selectModel",
            "recordGlobalRound",
            "recordUpdate",
            "reportContributions",
            "reportResult",
            "abortTraining",
            "vote",
            "settle",
            "settleMany",
            "claimLot",
            "cancelled",
            "nothing trained",
            "training",
            "reported",
            "aborted",
            "calls while being paid"
        ];
        for (uint256 i; i < 22; ++i) {
            emit log_named_uint(names[i], reached[i]);
            if (reached[i] == 0) revert NotReached(names[i]);
        }
    }

    function _random(uint256 x) private {
        (uint256 kind, uint256 round, uint256 i, uint256 y) = (x % 16, x >> 8, x >> 16, x >> 24);
        if (kind == 0) handler.create(y);
        else if (kind == 1) handler.everybody(round, y, uint8(i));
        else if (kind < 10) handler.everybodyAndOn(round, y, uint8(i & (i >> 8)));
        else if (kind == 10) handler.one(round, i, y);
        else if (kind < 13) handler.anything(round, i, y >> 8, y);
        else if (kind == 13) handler.wait(round, y);
        else if (kind == 14) handler.deposit(i, y);
        else handler.withdraw(i, y);
    }

    // ────────────────────────────────────────── helpers ────────────────────────────────────────────────

    function _actor(uint256 i) private view returns (address) {
        return address(handler.actors(i));
    }

    function _end() private {
        handler.finish();
        for (uint256 r = 1; r <= market.roundCount(); ++r) {
            if (market.roundOf(r).phase != Phase.Settle) revert Stuck(r, address(0), Stage.None);
            for (uint256 i; i < ACTORS; ++i) {
                Stage stage = market.memberOf(r, _actor(i)).stage;
                if (stage != Stage.None && stage != Stage.Settled) revert Stuck(r, _actor(i), stage);
            }
        }
        for (uint256 i; i < ACTORS; ++i) {
            // Actor 2 refuses ether; what is free stays its own.
            if (i != 2 && market.freeBalance(_actor(i)) != 0) revert Stuck(0, _actor(i), Stage.None);
        }
        invariant_all();
    }
}
