"""Compiles contracts that are no part of the product: attackers, peers and floors under `contracts/test`.

Ape leaves that folder out, so that neither `ape compile` nor a deployment of HCFL waits for it or sees it.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import solcx
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
IMPORT = re.compile(r'^\s*import\s+(?:[^"\';]*\sfrom\s+)?["\']([^"\']+)["\']', re.MULTILINE)


@dataclass(frozen=True)
class Artefact:
    """A compiled contract: its ABI, the code that deploys it and the code that is then there (without immutables)."""

    name: str
    abi: tuple[dict[str, Any], ...]
    code: bytes
    runtime: bytes


def compile_contract(path: str, name: str | None = None, *, evm_version: str | None = None) -> Artefact:
    """Compile a contract with ape's settings; what was compiled before from the same sources is read again.

    Args:
        path: its file, relative to the repository.
        name: the contract, if it is not called like its file.
        evm_version: for another chain than the settings name.

    Raises:
        FileNotFoundError: the file, or one that it imports, is not there.
        solcx.exceptions.SolcError: it does not compile.
    """
    request = _request(path, evm_version)
    text = json.dumps(request, sort_keys=True)
    kept = ROOT / ".build" / "test" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            version = Path(_settings()["solc"]).name.removeprefix("solc-v")
            answer = solcx.compile_standard(request, solc_version=version)
            kept.write_text(json.dumps(answer["contracts"][path]), encoding="utf-8")
    name = name or Path(path).stem
    compiled = json.loads(kept.read_text(encoding="utf-8"))[name]
    code, runtime = (bytes.fromhex(compiled["evm"][kind]["object"]) for kind in ("bytecode", "deployedBytecode"))
    return Artefact(name, tuple(compiled["abi"]), code, runtime)


def refusal(path: str, changed: Mapping[str, str]) -> str | None:
    """What the compiler says against a contract, None if nothing; it reads and checks it, and makes no code.

    Args:
        path: its file, relative to the repository.
        changed: what stands in a source instead, by its file.
    """
    request = _request(path, None)
    request["settings"]["outputSelection"] = {path: {"*": ["abi"]}}
    for source, text in changed.items():
        request["sources"][source] = {"content": text}
    version = Path(_settings()["solc"]).name.removeprefix("solc-v")
    try:
        solcx.compile_standard(request, solc_version=version)
    except solcx.exceptions.SolcError as error:
        return str(error).partition("\n\n")[0]
    return None


def _settings() -> dict[str, Any]:
    """Those of `foundry.toml`, which are ape's too."""
    settings: dict[str, Any] = tomllib.loads((ROOT / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
    return settings


def _request(path: str, evm_version: str | None) -> dict[str, Any]:
    """The compiler's input: the file, all that it imports, and output for the file alone."""
    settings = _settings()
    sources: dict[str, str] = {}
    waiting = [path]
    while waiting:
        source = waiting.pop()
        if source in sources:
            continue
        where = ROOT / source if (ROOT / source).exists() else ROOT / "node_modules" / source
        sources[source] = where.read_text(encoding="utf-8")
        waiting += [_resolved(imported, source) for imported in IMPORT.findall(sources[source])]
    return {
        "language": "Solidity",
        "sources": {source: {"content": text} for source, text in sources.items()},
        "settings": {
            "evmVersion": evm_version or settings["evm_version"],
            "viaIR": settings["via_ir"],
            "optimizer": {"enabled": settings["optimizer"], "runs": settings["optimizer_runs"]},
            "outputSelection": {path: {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
        },
    }


def _resolved(imported: str, importer: str) -> str:
    """The source name of an import: relative to its importer, or a package's."""
    if not imported.startswith("."):
        return imported
    parts = list(Path(importer).parent.parts)
    for part in Path(imported).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
