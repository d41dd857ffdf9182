"""Two pictures are the same where nobody could see a difference, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.figures.plot import finish, panels, save, style
from tests.support.pictures import assert_same_picture


@pytest.fixture
def svg(tmp_path: Path) -> str:
    figure, (axes,) = panels(1)
    with style():
        axes.plot([0, 1, 2], [1, 4, 9], label="squares", marker="o", clip_on=True)
    finish(axes, "A title", "x", "y (gwei)")
    return save(figure, tmp_path / "drawn").read_text(encoding="utf-8")


def moved(svg: str, by: float) -> str:
    """The curve's last point, elsewhere; what has only two is the legend's line."""
    curve = re.compile(r'(<path d="(?:[ML] [-\d.]+ [-\d.]+ \n){2}L )([-\d.]+)(?= [-\d.]+ \n" clip-path)')
    found, count = curve.subn(lambda match: f"{match[1]}{float(match[2]) + by:.6f}", svg)
    assert count == 1
    return found


def renamed(svg: str) -> str:
    """Every clipping path and marker has another name."""
    names = set(re.findall(r'id="([pm][0-9a-f]{10})"', svg))
    assert len(names) >= 2
    for name in names:
        svg = svg.replace(name, name[0] + name[:0:-1])
    return svg


def compare(tmp_path: Path, one: str, other: str) -> None:
    paths = tmp_path / "one.svg", tmp_path / "other.svg"
    for path, text in zip(paths, (one, other), strict=True):
        path.write_text(text, encoding="utf-8")
    assert_same_picture(*paths, again="draw it")


@pytest.mark.parametrize(
    "change",
    [lambda svg: moved(svg, 0.000002), lambda svg: moved(svg, -0.04), renamed, lambda svg: svg.replace(">2<", ">2.0<")],
    ids=["last decimal", "a tenth of a pixel", "other names", "another zero"],
)
def test_picture__what_nobody_sees__is_the_same(tmp_path: Path, svg: str, change: Callable[[str], str]) -> None:
    assert change(svg) != svg
    compare(tmp_path, change(svg), svg)


@pytest.mark.parametrize(
    "change",
    [
        lambda svg: moved(svg, 0.5),
        lambda svg: svg.replace(">squares<", ">cubes<"),
        lambda svg: svg.replace(">2<", ">3<"),
        lambda svg: svg.replace("stroke: #1f77b4", "stroke: #ff0000"),
        lambda svg: re.sub(r"<use [^>]*/>", "", svg, count=1),
        lambda svg: svg.replace("</svg>", '<path d="M 0 0"/></svg>'),
        lambda svg: moved(svg, 0.5).replace("\nL", "\nM", 1),
    ],
    ids=["a pixel", "a word", "a number", "a colour", "a marker less", "a line more", "no line"],
)
def test_picture__what_somebody_sees__is_another(tmp_path: Path, svg: str, change: Callable[[str], str]) -> None:
    assert change(svg) != svg
    with pytest.raises(AssertionError, match="draw it again"):
        compare(tmp_path, change(svg), svg)
