"""Code of accounts that are no ordinary receivers, as bytes."""

from analysis.devnode.market import Call

# PUSH1 0 PUSH1 0 REVERT: refuses ether.
REFUSES_ETHER = bytes.fromhex("60006000fd")


def calling_when_paid(call: Call) -> bytes:
    """Makes the call with its value whenever it is paid or called, and ignores whether that worked."""
    data = bytes.fromhex(call.market.codec.call(call.function, call.arguments).removeprefix("0x"))
    size = f"61{len(data):04x}"  # PUSH2
    head = (
        f"{size}61000060003960006000{size}60007f{call.value:064x}"  # CODECOPY(0, start, size); CALL's arguments
        f"73{call.market.address[2:]}5af15000"  # CALL(gas, contract, value, 0, size, 0, 0); POP; STOP
    )
    start = len(head) // 2
    return bytes.fromhex(head.replace("610000600039", f"61{start:04x}600039", 1)) + data
