"""Every figure that is committed: its files are there, and its caption is true."""

from pathlib import Path

import pytest

from analysis.figures.catalogue import NAMES, figure
from analysis.figures.figure import Setting
from analysis.figures.plot import save
from analysis.figures.record import RESULTS, read, stem_of
from tests.support.pictures import assert_same_picture

COMMITTED = [
    pytest.param(name, setting, id=f"{name}-{setting}")
    for name in NAMES
    for setting in Setting
    if setting is Setting.QUICK or stem_of(name, setting).with_suffix(".json").exists()
]

PICTURES = [each for each in COMMITTED if stem_of(*each.values).with_suffix(".svg").exists()]  # those that a page shows

OPTIONS = {Setting.QUICK: "--quick", Setting.CPU: "--device cpu", Setting.FULL: ""}


@pytest.mark.parametrize(("name", "setting"), COMMITTED)
def test_figure__committed__every_claim_of_its_caption_holds(name: str, setting: Setting) -> None:
    claims = figure(name).claims(read(name, setting)["data"])
    assert claims, "a caption that claims nothing cannot fail"
    assert not [claim.text for claim in claims if not claim.holds]


@pytest.mark.parametrize(("name", "setting"), PICTURES)
def test_figure__committed__is_drawn_from_the_committed_data(name: str, setting: Setting, tmp_path: Path) -> None:
    drawn = save(figure(name).draw(read(name, setting)["data"]), tmp_path / name)
    committed = stem_of(name, setting)
    again = f"python -m analysis.figures {name} {OPTIONS[setting]} --redraw"
    assert_same_picture(drawn, committed.with_suffix(".svg"), again)


def test_results__committed__belong_to_a_figure() -> None:
    found = {path.stem for path in RESULTS.rglob("*.*")}
    assert found <= set(NAMES), "files of figures that are gone"
