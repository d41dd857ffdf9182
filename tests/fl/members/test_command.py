"""What the members' commands need: `pip install CHECKOUT` brings no PyTorch, and nothing that comes with it."""

import subprocess
import sys


def test_import__of_all_commands__takes_nothing_that_comes_with_the_training() -> None:
    check = (
        "import sys, fl.members.command, fl.members.auditing, fl.members.status, fl.members.creation; "
        "sys.exit(' '.join({'torch', 'scipy', 'sklearn', 'safetensors', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert not done.stderr.strip(), done.stderr
