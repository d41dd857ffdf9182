// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {NaiveRounds} from "./NaiveRounds.sol";

/// @title The one settling loop of `NaiveCrowdfunding`
abstract contract NaiveSettlement is NaiveRounds {
    /// @dev What is the same for all members.
    struct Case {
        Status status;
        bool trained;
        bool punished;
        bool lenient;
        bool silenceSlashed;
        bool[] live;
    }

    /// @dev What is collected from a member and paid to it, wei.
    struct Dues {
        uint256 share;
        uint256 tax;
        uint256 slashed;
        uint256 reward;
        uint256 forfeited;
        uint256 putIn;
        uint256 released;
    }

    uint256 private constant Q = 2 ** 64;

    /// @notice Settles every member of a round and credits its rebate.
    function settle(uint256 roundId) external {
        Round storage round = _rounds[roundId];
        Case memory c;
        c.live = _live(round);
        c.status = _statusNow(round, c.live);
        if (!_settlementOpen(round, c.status)) revert WrongPhase();
        c.silenceSlashed = c.status != Status.Cancelled || !_cannotBeHeld(round, c.live);
        if (c.status == Status.Reported) {
            c.punished =
                uint256(round.votesFor) * 10_000 > round.terms.punishThresholdBps * uint256(round.committedOwners - 1);
            c.trained = round.recorders != 0;
            c.lenient = c.punished || !round.guided;
        }
        Side memory owners = _read(round, round.owners);
        Side memory stations = _read(round, round.stations);
        uint256 toStations = _settleSide(round, roundId, c, Role.Owner, owners, stations, 0);
        _settleSide(round, roundId, c, Role.BaseStation, stations, owners, toStations);
        round.status = Status.Settled;
    }

    function withdraw(uint256 amount) external {
        freeBalance[msg.sender] -= amount;
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert TransferFailed();
    }

    /// @dev Everybody's dues first, as rebates depend on all of them.
    /// @param outside wei from the other side that goes back to this one
    /// @return toOther wei from this side that goes back to the other
    function _settleSide(
        Round storage round,
        uint256 roundId,
        Case memory c,
        Role role,
        Side memory own,
        Side memory other,
        uint256 outside
    ) private returns (uint256 toOther) {
        uint256 inside;
        Dues[] memory dues = new Dues[](own.accounts.length);
        for (uint256 i; i < dues.length; ++i) {
            Member storage member = round.members[own.accounts[i]];
            Dues memory d = dues[i];
            if (member.committed) {
                bool slashedOutside = _duesOf(d, round, c, role, own, other, member);
                if (slashedOutside) toOther += d.slashed;
                d.putIn = d.tax + d.forfeited + (slashedOutside ? 0 : d.slashed);
                inside += d.putIn;
            } else {
                if (member.proposed && own.committed != 0) d.slashed = round.terms.bond;
                _collect(d, _lockOf(round, role));
                outside += d.slashed;
            }
        }
        for (uint256 i; i < dues.length; ++i) {
            address account = own.accounts[i];
            Dues memory d = dues[i];
            uint256 rebate;
            if (round.members[account].committed) {
                if (own.committed > 1) rebate = (inside - d.putIn) / (own.committed - 1);
                rebate += outside / own.committed;
            }
            freeBalance[account] += d.released + rebate;
            emit MemberSettled(roundId, account, d.share, d.tax, d.slashed, d.reward, d.forfeited, rebate);
        }
    }

    /// @dev What a committed member owes and is owed.
    function _duesOf(
        Dues memory d,
        Round storage round,
        Case memory c,
        Role role,
        Side memory own,
        Side memory other,
        Member storage member
    ) private view returns (bool slashedOutside) {
        uint256 bond = round.terms.bond;
        if (!member.revealed && c.silenceSlashed) d.slashed = bond;
        if (c.status != Status.Cancelled) (d.share, d.tax) = _shareAndTax(round, c, role, own, other, member);
        if (role == Role.Owner) {
            if (!c.trained) d.share = 0;
            if (c.punished && member.revealed && member.proposed && member.model == round.selected) {
                d.slashed = bond;
                slashedOutside = true;
            }
        } else {
            if (c.trained && member.recorded) d.reward = d.share;
            else if (c.trained) d.forfeited = d.share;
            if (c.trained && !member.recorded && !c.lenient) d.slashed = bond;
            d.share = 0;
        }
        _collect(d, _lockOf(round, role));
    }

    /// @dev Collects from the lock and the reward, in this order and never more: share, slashed bond, tax.
    function _collect(Dues memory d, uint256 lock) private pure {
        uint256 left = lock + d.reward;
        d.share = Math.min(d.share, left);
        left -= d.share;
        d.slashed = Math.min(d.slashed, left);
        left -= d.slashed;
        d.tax = Math.min(d.tax, left);
        d.released = left - d.tax;
    }

    /// @dev A member's share at the selected model and its Clarke tax, wei: `analysis/mechanism.md`, equal weights.
    function _shareAndTax(
        Round storage round,
        Case memory c,
        Role role,
        Side memory own,
        Side memory other,
        Member storage member
    ) private view returns (uint256 share, uint256 tax) {
        uint64[] memory bids = member.bids; // none if it was silent
        uint256 n = own.committed;
        uint256 t = round.theta;
        uint256 largestShare = uint256(round.terms.maxOwnerBid) * 1 gwei;
        uint256 selected = c.status == Status.Reported ? round.selected : type(uint256).max;
        int256 best;
        int256 atSelected;
        for (uint256 m; m < c.live.length; ++m) {
            if (!c.live[m]) continue;
            uint256 claim = bids.length == 0 ? 0 : uint256(bids[m]) * 1 gwei;
            uint256 rest = own.sums[m] * 1 gwei - claim;
            uint256 others = other.sums[m] * 1 gwei;
            uint256 amount;
            int256 enjoyed;
            if (role == Role.Owner) {
                amount = Math.ceilDiv((Q - t) * (n - 1) * others + t * n * rest, Q * n * (n - 1));
                amount = Math.min(amount, largestShare);
                enjoyed = int256(rest) - int256(others) + int256(amount);
            } else {
                amount = ((Q - t) * n * rest + t * (n - 1) * others) / (Q * n * (n - 1));
                enjoyed = int256(others) - int256(rest) - int256(amount);
            }
            if (enjoyed > best) best = enjoyed;
            if (m == selected) (share, atSelected) = (amount, enjoyed);
        }
        tax = uint256(best - atSelected);
    }
}
