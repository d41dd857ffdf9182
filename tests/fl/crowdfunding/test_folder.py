"""A round's folder: nobody else's, writable, its log kept, and named where a round fails."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from fl.crowdfunding.folder import round_folder
from fl.crowdfunding.settings import SettingsError

log = logging.getLogger("hcfl")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folder__many_rounds_in_one_second__each_has_its_own(here: Path) -> None:
    at_once = Barrier(8)

    def begin(_: int) -> Path:
        at_once.wait()
        with round_folder(None) as folder:
            (folder / "round.json").touch()
            return folder

    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(begin, range(8)))
    assert len(set(folders)) == 8
    assert {folder.parent for folder in folders} == {Path("rounds")}
    assert all((here / folder / "round.json").exists() for folder in folders)


def test_folder__with_a_log__keeps_it(tmp_path: Path) -> None:
    (tmp_path / "round.log").write_text("of an earlier round\n", encoding="utf-8")
    with round_folder(str(tmp_path)):
        log.info("of this one")
    first, second = (tmp_path / "round.log").read_text(encoding="utf-8").splitlines()
    assert first == "of an earlier round"
    assert second.endswith("hcfl of this one")


def test_folder__round_fails__error_says_what_is_left(tmp_path: Path) -> None:
    for kind in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(kind) as failed, round_folder(str(tmp_path / kind.__name__)) as folder:
            log.info("begun")
            raise kind
        assert failed.value.__notes__ == [f"what there is of the round is in {folder}"]


def test_folder__fails_before_anything_is_written__leaves_none(here: Path) -> None:
    for out in (None, "out"):
        with pytest.raises(RuntimeError) as failed, round_folder(out) as folder:
            raise RuntimeError
        assert not folder.exists()
        assert not hasattr(failed.value, "__notes__")


def test_folder__of_the_users__stays_where_nothing_was_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), round_folder(str(tmp_path)):
        raise RuntimeError
    assert tmp_path.exists()


def test_folder__finished_round__refused(tmp_path: Path) -> None:
    (tmp_path / "round.json").touch()
    with pytest.raises(SettingsError, match="finished round"), round_folder(str(tmp_path)):
        pass


@pytest.mark.parametrize("name", ["store", "journals"])
def test_folder__file_where_a_folder_goes__refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SettingsError, match=f"a file named {name}"), round_folder(str(tmp_path)):
        pass


def test_folder__within_a_file__refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="Not a directory"), round_folder(str(tmp_path / "file" / "out")):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_log__disk_full__ends_the_round(tmp_path: Path) -> None:
    """Python's own handler would print a traceback and go on."""
    (tmp_path / "round.log").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"), round_folder(str(tmp_path)):
        log.info("does not fit")
