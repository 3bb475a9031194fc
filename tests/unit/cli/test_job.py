from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from ray.exceptions import RayTaskError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rayapp.cli.file_problem import REMEDIES
from rayapp.cli.job import job
from rayapp.cli.main import cli
from rayapp.config import Config


def failing(number: int, file: str | None = None) -> tuple[click.Command, list[Config]]:
    """A job that raises this error of the operating system, and the configurations it ran with."""
    ran: list[Config] = []

    @job("A job.")
    def main(config: Config) -> dict[str, Any]:
        ran.append(config)
        raise OSError(number, os.strerror(number), file)

    return main, ran


@pytest.mark.parametrize("number", sorted(REMEDIES))
@pytest.mark.parametrize("file", [None, "/some/place"])
def test_a_place_that_cannot_be_written_ends_a_job_in_one_line(number: int, file: str | None) -> None:
    result = CliRunner().invoke(failing(number, file)[0])
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    assert os.strerror(number) in line
    assert (file or "") in line
    assert REMEDIES[number] in line


def of_a_worker(error: Exception) -> Exception:
    """As Ray raises what a task raised."""
    try:
        raise error
    except Exception as raised:
        return RayTaskError("task", traceback.format_exc(), raised).as_instanceof_cause()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
        PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/some/place"),
    ],
)
def test_it_is_the_same_where_a_worker_met_it(error: OSError) -> None:
    @job("A job.")
    def main(config: Config) -> dict[str, Any]:
        raise of_a_worker(error)

    result = CliRunner().invoke(main)
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    assert os.strerror(error.errno or 0) in line
    assert (error.filename or "") in line


def to_numpy(file: Path) -> None:
    with file.open("wb") as output:
        np.save(output, np.zeros(10_000))


WRITERS: dict[str, Callable[[Path], object]] = {
    "torch": lambda file: torch.save({"a": torch.zeros(10_000)}, file),
    "safetensors": lambda file: save_file({"a": torch.zeros(10_000)}, file),
    "FAISS": lambda file: faiss.write_index(flat_index(), str(file)),
    "Arrow": lambda file: pq.write_table(pa.table({"a": np.random.default_rng(0).random(10_000)}), file),
    "NumPy": to_numpy,
    "text": lambda file: file.write_text("a" * 10_000),
}


def flat_index() -> faiss.Index:
    index = faiss.IndexFlatIP(10)
    index.add(np.zeros((1000, 10), dtype=np.float32))
    return index


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_that_meets_a_full_disk_ends_a_job_in_one_line(
    tmp_path: Path, full_disk: Callable[[bool], None], writer: str, remote: bool
) -> None:
    @job("A job.")
    def main(config: Config) -> dict[str, Any]:
        full_disk(True)
        try:
            WRITERS[writer](tmp_path / "file")
        except Exception as error:
            raise (of_a_worker(error) if remote else error) from None
        finally:
            full_disk(False)
        raise AssertionError(f"{writer} wrote to a full disk")

    result = CliRunner().invoke(main)
    assert result.exit_code == 2, result.exception
    (line,) = result.output.strip().splitlines()
    assert line.endswith("or name another place")


@pytest.mark.parametrize("remote", [False, True])
def test_weights_that_cannot_be_read_are_no_full_disk(tmp_path: Path, remote: bool) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)

    @job("A job.")
    def main(config: Config) -> dict[str, Any]:
        try:
            load_file(tmp_path / "a")
        except SafetensorError as error:
            raise (of_a_worker(error) if remote else error) from None
        raise AssertionError("read")

    assert CliRunner().invoke(main).exit_code == 1


def test_a_fault_of_a_worker_keeps_its_traceback() -> None:
    @job("A job.")
    def main(config: Config) -> dict[str, Any]:
        raise of_a_worker(KeyError("x"))

    assert isinstance(CliRunner().invoke(main).exception, RayTaskError)


def test_any_other_error_keeps_its_traceback() -> None:
    result = CliRunner().invoke(failing(errno.ECONNREFUSED)[0])
    assert isinstance(result.exception, ConnectionRefusedError)


def test_where_the_result_cannot_be_written_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    main, ran = failing(errno.EIO)
    result = CliRunner().invoke(main, ["--out", str(tmp_path / "file" / "result.json")])
    assert (result.exit_code, ran) == (2, [])
    assert str(tmp_path / "file") in result.output


def test_a_job_that_fails_leaves_no_empty_result(tmp_path: Path) -> None:
    out = tmp_path / "new" / "result.json"
    assert CliRunner().invoke(failing(errno.EIO)[0], ["--out", str(out)]).exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize("command", [["up", "--no-llm"], ["status"], ["config", "show"]])
def test_a_state_folder_below_a_file_ends_a_command_in_one_line(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(cli, ["--state", str(tmp_path / "file" / "state"), *command])
    assert result.exit_code in (0, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
