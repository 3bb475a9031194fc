from __future__ import annotations

from pathlib import Path

import msgspec

from rayapp.redone.offline import ENGINE


def test_the_engine_without_a_server_is_set_as_the_served_one() -> None:
    served = msgspec.yaml.decode(Path("serve_configs/laptop.yaml").read_bytes())["applications"][1]["args"]["engine"]
    assert served == ENGINE
