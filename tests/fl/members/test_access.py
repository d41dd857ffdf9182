"""Where a member's membership list is: a file, or an address in a store."""

from pathlib import Path

import pytest

from fl.members.access import Access
from fl.members.configuration import MemberConfiguration
from fl.store.errors import Refused
from fl.store.files import Files
from tests.fl.market.test_membership_file import DOMAIN, LISTED

EXAMPLE = Path(__file__).parents[3] / "examples" / "owner.yaml"


def access_naming(folder: Path, membership: str) -> Access:
    """A member whose member.yaml names this list."""
    path = folder / "member.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    path.write_text(text.replace("membership: ./membership.json", f"membership: {membership}"), encoding="utf-8")
    return Access(configuration=MemberConfiguration.read(path))


@pytest.mark.parametrize("at", ["memory", "file", "path"])
def test_members__list_at_an_address_or_a_path__read_and_verified(tmp_path: Path, at: str) -> None:
    folder = f"memory://{tmp_path.name}" if at == "memory" else str(tmp_path)
    named = {"memory": f"{folder}/list.json", "file": f"file://{tmp_path}/list.json", "path": "./list.json"}[at]
    access = access_naming(tmp_path, named)
    assert access.members(DOMAIN) is None, "there is none yet"
    Files(folder).write("list.json", LISTED)
    found = access.members(DOMAIN)
    assert found is not None and found.to_bytes() == LISTED


def test_members__address_that_nobody_knows__one_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"the store nowhere://lists cannot be opened: ") as refused:
        access_naming(tmp_path, "nowhere://lists/list.json").members(DOMAIN)
    assert "\n" not in str(refused.value)
