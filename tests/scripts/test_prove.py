"""What `make prove` makes of what its tools say."""

import pytest

from scripts._prove import Failed, check_coverage

TABLE = """
| File                        | % Lines          | % Statements       |
|-----------------------------+------------------+--------------------|
| contracts/HCFL.sol          | 97.91% (234/239) | 92.14% (293/318)   |
| Total                       | {}% (755/779) | 10.05% (1011/1075) |
"""


def test_check_coverage__enough_lines__holds() -> None:
    check_coverage(TABLE.format("95.00"))


@pytest.mark.parametrize(
    ("said", "why"), [(TABLE.format("94.99"), "94.99 % of the lines"), ("no tests to run", "nothing of coverage")]
)
def test_check_coverage__too_few_lines_or_no_table__fails(said: str, why: str) -> None:
    with pytest.raises(Failed, match=why):
        check_coverage(said)
