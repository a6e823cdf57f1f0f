"""A real nginx in front of a relay, on a free port, with a configuration of the test."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.helpers.parts import NGINX_PATH
from tests.helpers.processes import HOST, free_port

# Seconds. Long, since it only passes when something is wrong.
START_TIMEOUT: Final = 20.0
_POLL: Final = 0.02

# Alone, in the foreground, with everything that it writes in its own folder.
_AROUND: Final = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {configuration}
}}
"""


@contextmanager
def running_nginx(folder: Path, configuration: str) -> Iterator[int]:
    """nginx with what stands in its http block, in which LISTEN is where it listens; the port."""
    port = free_port()
    file = folder / "nginx.conf"
    written = configuration.replace("LISTEN", f"{HOST}:{port}")
    file.write_text(_AROUND.format(folder=folder, configuration=written))
    process = subprocess.Popen([str(NGINX_PATH), "-p", str(folder), "-e", str(folder / "errors"), "-c", str(file)])
    try:
        _await(port, process, folder)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(_POLL)
    errors = folder / "errors"
    raise AssertionError(f"nginx did not start: {errors.read_text() if errors.exists() else 'no errors'}")
