"""The check of imports, on trees in which something is wrong: it must see each."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.imports import Sources

Plant = Callable[[Mapping[str, str]], Sources]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Sources of these texts, by path; every folder is a package."""

    def make(files: Mapping[str, str]) -> Sources:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            for folder in path.parents[: len(Path(name).parts) - 1]:
                (folder / "__init__.py").touch()
        return Sources(tmp_path, tuple({Path(name).parts[0] for name in files}))

    return make


WAYS_TO_IMPORT = {
    "import": "import lib.part",
    "import of a longer name": "import lib.part as p",
    "import from": "from lib.part import name",
    "import of a module from its package": "from lib import part",
    "relative": "from .part import name",
    "relative, of a module": "from . import part",
    "relative, from above": "from ..lib.part import name",
    "in a function": "def f():\n    from lib.part import name",
    "in a method": "class C:\n    def f(self):\n        import lib.part",
    "for types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lib.part import name",
    "in a try": "try:\n    import lib.part\nexcept ImportError:\n    pass",
    "by name": "from importlib import import_module\nimport_module('lib.part')",
    "by name, from importlib": "import importlib\nimportlib.import_module('lib.part')",
}


@pytest.mark.parametrize("text", WAYS_TO_IMPORT.values(), ids=WAYS_TO_IMPORT)
def test_imports__written_in_any_way__are_seen(plant: Plant, text: str) -> None:
    sources = plant({"lib/user.py": text, "lib/part.py": "name = 1"})
    assert "lib.part" in sources.imports["lib.user"]
    assert sources.path("lib.user", "lib.part") == ["lib.user", "lib.part"]


def test_imports__in_a_text_or_a_comment__are_none(plant: Plant) -> None:
    sources = plant({"lib/user.py": '"""import lib.part"""\n# import lib.part', "lib/part.py": ""})
    assert sources.path("lib.user", "lib.part") == []


def test_path__over_modules_between__is_found_and_shown(plant: Plant) -> None:
    sources = plant(
        {
            "chain/client.py": "from common.store import put",
            "common/store.py": "def put():\n    import codec.bits",
            "codec/bits.py": "import torch.nn",
        }
    )
    assert sources.path("chain", "torch") == ["chain.client", "common.store", "codec.bits", "torch.nn"]
    assert sources.path("codec", "chain") == []


def test_path__but_over_some_modules__goes_round_them_or_is_none(plant: Plant) -> None:
    sources = plant({"lib/user.py": "import lib.near", "lib/near.py": "import torch", "lib/torch_side.py": ""})
    assert sources.path("lib", "torch", but=["lib.near"]) == []
    assert sources.path("lib", "torch", but=["lib.torch_side"]) == ["lib.near", "torch"]


SENDER = (
    "class Market:\n def join(self):\n  return self._send()\n def seen(self):\n  return 1\n def _send(self):\n  pass"
)


def test_methods_calling__one_that_sends_and_one_that_reads__are_told_apart(plant: Plant) -> None:
    assert plant({"lib/client.py": SENDER}).methods_calling("lib.client", "Market", "_send") == {"join"}


def test_attributes__of_texts__are_none(plant: Plant) -> None:
    text = "', '.join(a)\nf'{b}'.join(c)\nmarket.join(d)\nplay.market.settle"
    assert set(plant({"lib/user.py": text}).attributes("lib.user")) == {("join", 3), ("market", 4), ("settle", 4)}


def test_path__what_a_package_itself_imports__counts_for_its_modules_and_their_users(plant: Plant) -> None:
    sources = plant({"lib/__init__.py": "import torch", "lib/light.py": "", "app/user.py": "from lib.light import x"})
    assert sources.path("lib.light", "torch") == ["lib.light", "lib", "torch"]
    assert sources.path("app", "torch") == ["app.user", "lib", "torch"]


def test_path__names_that_only_begin_alike__are_others(plant: Plant) -> None:
    sources = plant({"lib/user.py": "import torchvision\nimport lib.partly", "lib/partly.py": "", "lib/part.py": ""})
    assert sources.path("lib", "torch") == []
    assert sources.path("lib.user", "lib.part") == []


def test_circle__of_two_files__names_both_imports(plant: Plant) -> None:
    sources = plant({"lib/one.py": "from lib.two import x", "lib/two.py": "def f():\n    from lib.one import y"})
    assert set(sources.circle("lib")) == {"lib.one → lib.two", "lib.two → lib.one"}
    assert sources.circle("") == []


def test_circle__of_three_folders_without_one_of_files__is_seen_where_they_lie(plant: Plant) -> None:
    sources = plant(
        {
            "lib/a/up.py": "import lib.b.up",
            "lib/b/up.py": "",
            "lib/b/down.py": "import lib.c.up",
            "lib/c/up.py": "import lib.a.down",
            "lib/a/down.py": "",
        }
    )
    assert set(sources.circle("lib")) == {
        "lib.a.up → lib.b.up",
        "lib.b.down → lib.c.up",
        "lib.c.up → lib.a.down",
    }
    assert [sources.circle(folder) for folder in ("", "lib.a", "lib.b", "lib.c")] == [[]] * 4


def test_circle__of_a_package_and_its_modules__is_seen(plant: Plant) -> None:
    sources = plant({"lib/__init__.py": "from lib.part import name", "lib/part.py": "name = 1"})
    assert set(sources.circle("lib")) == {"lib → lib.part", "lib.part → lib"}


def test_circle__of_two_top_folders__is_seen_at_the_root(plant: Plant) -> None:
    sources = plant(
        {"fl/part.py": "import analysis.part", "analysis/other.py": "import fl.part", "analysis/part.py": ""}
    )
    assert sources.circle("")


def test_circle__of_arrows_down_only__is_none(plant: Plant) -> None:
    sources = plant({"lib/a.py": "import lib.b\nimport lib.c.d", "lib/b.py": "import lib.c.d", "lib/c/d.py": ""})
    assert [sources.circle(folder) for folder in sorted(sources.packages)] == [[]] * len(sources.packages)
    assert sources.packages == {"", "lib", "lib.c"}


def test_reached__from_a_start__leaves_out_what_nobody_imports(plant: Plant) -> None:
    sources = plant(
        {"bin/go.py": "import lib.used", "lib/used.py": "import lib.also", "lib/also.py": "", "lib/lost.py": ""}
    )
    assert sources.reached(["bin"]) == {"bin", "bin.go", "lib", "lib.used", "lib.also"}


def test_without_use__names_that_only_others_use__are_told(plant: Plant) -> None:
    sources = plant(
        {
            "lib/part.py": "def used(): ...\ndef told(): ...\ndef lost(): return within\nclass Lost: ...\n"
            "LOST: int = 1\nwithin = 2",
            "bin/go.py": "from lib.part import used\nprint('lib.part:told')",
            "tests/test_part.py": "from lib.part import LOST, Lost, lost",
        }
    )
    assert sources.without_use("lib", ["bin"]) == ["lib.part.lost", "lib.part.Lost", "lib.part.LOST"]
