"""A client can be written from the interface: everything in it says what it is."""

import re
from pathlib import Path

INTERFACE = Path(__file__).parents[2] / "contracts" / "interfaces" / "IHCFL.sol"
DECLARED = re.compile(r"^(?:    )?((?:function|event|error|struct|enum) \w+)")


def test_interface__every_declaration__has_a_notice() -> None:
    lines, declared = INTERFACE.read_text(encoding="utf-8").splitlines(), []
    for number, line in enumerate(lines):
        if found := DECLARED.match(line):
            declared.append(found[1])
            first = number
            while lines[first - 1].lstrip().startswith("///"):
                first -= 1
            assert any("@notice" in above for above in lines[first:number]), f"{found[1]} says nothing"
    assert len(declared) > 90
