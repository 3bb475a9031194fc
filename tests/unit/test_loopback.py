from __future__ import annotations

import pytest

from rayapp.loopback import is_loopback, without_proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])
def test_own_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "", "127.0.0.1.nip.io", "fe80::1"]
)
def test_other_addresses(host: str) -> None:
    assert not is_loopback(host)


def test_what_is_unproxied_already_stays() -> None:
    assert without_proxy({}) == {"no_proxy": "localhost,127.0.0.1,::1", "NO_PROXY": "localhost,127.0.0.1,::1"}
    both = without_proxy({"NO_PROXY": "corp.example,localhost"})
    assert both["no_proxy"] == "corp.example,localhost,127.0.0.1,::1"
    assert without_proxy(both) == both
