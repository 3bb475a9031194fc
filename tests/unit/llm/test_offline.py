"""The engine without a server: set as the served one, right answers, and nothing left of it after kill -9."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil

from rayapp.config import Config, save_config
from rayapp.llm.offline import ENGINE
from tests.helpers import eventually

ASK = """
import sys
from rayapp.config import load_config
from rayapp.llm.language_model import LanguageModel

model = LanguageModel.offline(load_config(sys.argv[1]).llm_access, "SmolLM2-135M-Instruct")
prompt = model.tokenizer.encode("The capital of France is")
paris, stone = (model.tokenizer.encode(word)[0] for word in (" Paris", " stone"))
(found,) = model.answers.choose([prompt], [paris, stone])
print("ANSWER", found[paris] > found[stone], flush=True)
sys.stdin.read()
"""


def test_the_engine_without_a_server_is_set_as_the_served_one() -> None:
    served = msgspec.yaml.decode(Path("serve_configs/laptop.yaml").read_bytes())["applications"][1]["args"]["engine"]
    assert served == ENGINE


def test_an_engine_goes_with_the_process_that_asked_it(tmp_path: Path) -> None:
    save_config(Config(state=str(tmp_path / "state")), tmp_path / "config.yaml")
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, str(tmp_path / "config.yaml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        answer = next((line for line in process.stdout if line.startswith("ANSWER")), "")
        assert answer.split() == ["ANSWER", "True"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    eventually(lambda: not session_of(process.pid), 60, f"the end of {session_of(process.pid)}")


def session_of(pid: int) -> list[psutil.Process]:
    """What a process started, its own helpers' helpers too, whoever their parent is now."""
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(process.pid) == pid and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
