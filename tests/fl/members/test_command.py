"""What the members' commands need, and what they do not begin."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fl.members.command import _check_read
from fl.yaml_file import ConfigurationError


def test_import__of_all_commands__takes_nothing_that_comes_with_the_training() -> None:
    """`pip install CHECKOUT` brings no PyTorch, and nothing that comes with it."""
    check = (
        "import sys, fl.members.command, fl.members.auditing, fl.members.status, fl.members.creation; "
        "sys.exit(' '.join({'torch', 'scipy', 'sklearn', 'safetensors', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert not done.stderr.strip(), done.stderr


@pytest.mark.parametrize(("rounds", "waits"), [((1,), False), ((2, 1), False), ((1, 3), True), ((3, 1), True)])
def test_rounds__one_that_is_not_there_yet__waited_for_within_a_limit_alone(
    rounds: tuple[int, ...], waits: bool
) -> None:
    """Nobody can have read its terms, and anybody can create it."""

    def ready(most_lock: int | None) -> Any:
        configuration = SimpleNamespace(path=Path("member.yaml"), most_lock=most_lock)
        return SimpleNamespace(configuration=configuration, market=SimpleNamespace(round_count=lambda: 2))

    _check_read(ready(0), rounds)
    if not waits:
        _check_read(ready(None), rounds)
        return
    with pytest.raises(ConfigurationError, match=r"member.yaml: most_lock is missing: there is no round 3 yet"):
        _check_read(ready(None), rounds)
