"""Which way the code flows: who may import whom, and that nothing goes round."""

import pytest

from tests.support.imports import Sources
from tests.support.pages import ROOT

SOURCES = Sources(ROOT, ("fl", "analysis", "scripts", "web"))

FORBIDDEN = [
    pytest.param("fl.market", "torch", id="fl/market needs no PyTorch"),
    *(pytest.param("fl.store", end, id=f"fl/store needs no {end}") for end in ("torch", "ape", "fl.market")),
    pytest.param("fl.training", "fl.market", id="fl/training knows no chain"),
    *(pytest.param("fl.store", end, id=f"fl/store needs no {end}") for end in ("torch", "ape", "fl.market")),
    pytest.param("fl", "analysis", id="fl does not need analysis"),
    pytest.param("fl", "web", id="fl does not need web"),
    pytest.param("fl", "scripts", id="fl does not need scripts"),
    pytest.param("fl", "tests", id="fl does not need tests"),
    pytest.param("web.serve", "torch", id="the live page needs no PyTorch"),
    pytest.param("analysis", "scripts", id="analysis does not need scripts"),
    pytest.param("analysis", "tests", id="analysis does not need tests"),
]
TORCH_SIDE = ("fl.members.torch_work", "fl.members.own_data")
"""Where members train; the rest of `fl/members` needs these at most where it is asked for training."""
REFERENCE = ("mechanism", "settlement", "round_facts")
PRODUCT = ("scripts", "fl.training.__main__", "fl.commands.__main__")
"""What users start: whatever else is in fl is there for these."""


@pytest.mark.parametrize(("start", "end"), FORBIDDEN)
def test_imports__of_a_part__never_lead_where_they_must_not(start: str, end: str) -> None:
    assert SOURCES.modules(start), f"there is nothing in {start}: this test looks at nothing"
    assert SOURCES.path(start, end) == []


def test_imports__of_the_members__lead_to_torch_over_their_training_only() -> None:
    for name in TORCH_SIDE:
        assert SOURCES.path(name, "torch"), f"{name} needs no PyTorch: take it off this list"
    assert SOURCES.path("fl.members", "torch", but=TORCH_SIDE) == []


def test_crowdfunding__in_all_its_files__sends_nothing_but_the_rounds_creation() -> None:
    """Members act by themselves: who plays a round sees to the clock, and asks each for its next step."""
    sending = SOURCES.methods_calling("fl.market.client", "Market", "_send")
    assert {"create_round", "join", "reveal_bid", "settle"} <= sending, "the client sends by another method now"
    sent = {
        f"{module}:{line} {name}"
        for module in SOURCES.modules("fl.crowdfunding")
        for name, line in SOURCES.attributes(module)
        if name in sending and (module, name) != ("fl.crowdfunding.cast", "create_round")
    }
    assert sent == set()


@pytest.mark.parametrize("name", REFERENCE)
def test_imports__of_the_reference__are_the_reference_and_libraries_only(name: str) -> None:
    """So that contract and reference cannot share a fault."""
    allowed = {"analysis", *(f"analysis.{part}" for part in REFERENCE)}
    ours = {
        target for target in SOURCES.imports[f"analysis.{name}"] if target.split(".")[0] in (*SOURCES.tops, "tests")
    }
    assert ours <= allowed


@pytest.mark.parametrize("folder", [pytest.param(folder, id=folder or "root") for folder in sorted(SOURCES.packages)])
def test_imports__of_the_files_and_folders_in_a_folder__go_round_nowhere(folder: str) -> None:
    assert SOURCES.circle(folder) == []


def test_product__each_file__is_reached_from_what_users_start() -> None:
    reached = SOURCES.reached(PRODUCT)
    assert [name for name in SOURCES.modules("fl") if name not in reached] == []


def test_product__each_name__is_used_by_the_product() -> None:
    """What only tests and benchmarks use lies with them."""
    assert SOURCES.without_use("fl", ["scripts"]) == []
