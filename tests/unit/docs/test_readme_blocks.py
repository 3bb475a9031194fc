"""The parser of a document's blocks, the comparison with an output, and the port that leads to another one."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_ports
from tests.port_forwarder import forwarded
from tests.readme_blocks import Block, blocks, missing, runnable

README = Path(__file__).resolve().parents[3] / "README.md"
TEXT = """# Title

```sh
echo one
```

```
one
```

Words between.

```
no command's output
```

```python
print("`")
```
"""


def test_blocks_have_language_text_line_and_the_output_that_follows() -> None:
    assert blocks(TEXT) == [
        Block("sh", "echo one\n", 4, "one\n"),
        Block("", "no command's output\n", 14),
        Block("python", 'print("`")\n', 18),
    ]


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert blocks("````md\n```sh\nx\n```\n````\n") == [Block("md", "```sh\nx\n```\n", 2)]


def test_a_block_that_never_ends_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1: the block never ends"):
        blocks("```sh\necho\n")


def test_an_output_may_have_more_than_is_documented() -> None:
    output = '{"id":"a1","items":[1,2]}{"accepted":1}\nmore\n'
    assert missing('{"id":"…","items":[…\n{"accepted":1}\n', output) == []
    assert missing('{"accepted":2}\n{"id":"…"}', output) == ['{"accepted":2}', '{"id":"…"}']


def test_the_readme_has_blocks_to_run() -> None:
    found = runnable(README)
    assert {block.language for block in found} == {"sh", "python"}
    assert any("make up" in block.text for block in found)
    assert any("localhost:8000" in block.text and block.output for block in found)


def test_a_port_leads_to_another_one() -> None:
    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (port,) = free_ports(1)
    large = bytes(range(256)) * 4096
    with forwarded(port, server.server_address[1]):
        assert httpx.post(f"http://127.0.0.1:{port}/", content=large).content == large
        with pytest.raises(OSError, match="in use"), forwarded(port, 1):
            pass
    server.shutdown()
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"http://127.0.0.1:{port}/", content=b"x")
