"""Several processes want the same folder at once: one writes it, all get it whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from rayapp.atomic import whole_folder


def test_of_many_that_come_at_once_one_writes(tmp_path: Path) -> None:
    target, together, wrote = tmp_path / "cache" / "model", Barrier(8), []

    def want(n: int) -> str:
        def write(folder: Path) -> None:
            wrote.append(n)
            for part in range(20):
                (folder / f"{part}").write_text(str(n))

        together.wait()
        found = whole_folder(target, write)
        assert len(list(target.iterdir())) == 20, "never seen half-written"
        return found

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(want, range(8))) == {str(target)}
    assert len(wrote) == 1


def test_what_failed_or_was_killed_half_way_is_written_anew(tmp_path: Path) -> None:
    target = tmp_path / "model"

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        whole_folder(target, fail)
    assert not target.exists()
    whole_folder(target, lambda folder: (folder / "whole").touch())
    assert [file.name for file in target.iterdir()] == ["whole"]
