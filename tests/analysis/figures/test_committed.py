"""Every figure that is committed: its files are there, and its caption is true."""

from pathlib import Path

import pytest

from analysis.figures.catalogue import NAMES, figure
from analysis.figures.plot import save
from analysis.figures.record import RESULTS, read, stem_of

COMMITTED = [
    pytest.param(name, quick, id=f"{name}-{'quick' if quick else 'full'}")
    for name in NAMES
    for quick in (True, False)
    if quick or stem_of(name, quick).with_suffix(".json").exists()
]


@pytest.mark.parametrize(("name", "quick"), COMMITTED)
def test_figure__committed__every_claim_of_its_caption_holds(name: str, quick: bool) -> None:
    claims = figure(name).claims(read(name, quick)["data"])
    assert claims, "a caption that claims nothing cannot fail"
    assert not [claim.text for claim in claims if not claim.holds]


@pytest.mark.parametrize(("name", "quick"), COMMITTED)
def test_figure__committed__is_drawn_from_the_committed_data(name: str, quick: bool, tmp_path: Path) -> None:
    drawn, picture = save(figure(name).draw(read(name, quick)["data"]), tmp_path / name)
    committed = stem_of(name, quick)
    again = f"python -m analysis.figures {name}{' --quick' if quick else ''} --redraw"
    assert drawn.read_text(encoding="utf-8") == committed.with_suffix(".svg").read_text(encoding="utf-8"), again
    assert picture.exists() and committed.with_suffix(".png").exists(), again


def test_results__committed__belong_to_a_figure() -> None:
    found = {path.stem for path in RESULTS.rglob("*.*")}
    assert found <= set(NAMES), "files of figures that are gone"
