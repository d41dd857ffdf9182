"""What `foundry.toml` makes forge compile."""

import os
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMPTY = "// SPDX-License-Identifier: MIT\npragma solidity 0.8.37;\n\ncontract {name} {{}}\n"


def test_forge_build__copies_of_imports_left_by_ape__compiles_our_contracts_alone(tmp_path: Path) -> None:
    settings = (ROOT / "foundry.toml").read_text(encoding="utf-8")
    (tmp_path / "foundry.toml").write_text(settings, encoding="utf-8")
    solc = ROOT / tomllib.loads(settings)["profile"]["default"]["solc"]
    for source in ("contracts/Ours.sol", "contracts/.cache/openzeppelin/5.4.0/contracts/utils/Copy.sol"):
        path = tmp_path / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EMPTY.format(name=path.stem), encoding="utf-8")
    command = [ROOT / ".venv" / "bin" / "forge", "build", "--root", tmp_path, "--use", solc]
    at_home = {**os.environ, "HOME": str(tmp_path)}  # where forge keeps a cache of names
    built = subprocess.run(command, env=at_home, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    compiled = {path.stem for path in (tmp_path / ".cache" / "forge" / "out").rglob("*.json") if path.stem[0].isupper()}
    assert compiled == {"Ours"}
