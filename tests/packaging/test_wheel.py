"""The wheel, installed where nothing of this folder is: both processes, all pages, and the demonstration.

Third-party packages are those of the tests' own environment, so nothing is fetched.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import pytest

from support_api.views.assets import STATIC_FOLDER
from tests.helpers.processes import HOST, ROOT, Process, environment, free_port

_PACKAGES: Final = ("pushdesk", "relay", "support_api")
_TIMEOUT: Final = 120.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy: setuptools leaves its own files beside the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in _PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(target)]
    run(sys.executable, "-m", "pip", "wheel", *options, str(source))
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    )
    (site,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file: its packages can be imported; its own .pth files, one of which finds this folder, are not read.
    (site / "third-party.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


def run(*command: str, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
        return str(answer.read().decode())


def test_wheel_holds_the_packages_with_their_pages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(_PACKAGES)
    committed = run("git", "ls-files", *_PACKAGES, cwd=ROOT).split()
    present = {name for name in committed if (ROOT / name).is_file()}
    assert present <= set(names)
    assert {path.name for path in STATIC_FOLDER.iterdir()} == {
        Path(name).name for name in names if name.startswith("support_api/static/")
    }


def test_both_commands_run_from_the_installed_wheel(commands: Path, tmp_path: Path) -> None:
    where = run(
        str(commands / "python"),
        "-c",
        "import relay, support_api; print(relay.__file__, support_api.__file__)",
        cwd=tmp_path,
    )
    assert all(str(commands.parent) in path for path in where.split())
    assert "port = 6001" in run(str(commands / "pushdesk-relay"), "check-config", cwd=tmp_path, env={})
    assert "port = 8080" in run(str(commands / "pushdesk-desk"), "check-config", cwd=tmp_path, env={})


class Demo(Process):
    """`pushdesk-desk demo` in an empty folder."""

    def __init__(self, commands: Path, folder: Path) -> None:
        self.relay_port, self.console_port, port = free_port(), free_port(), free_port()
        self.folder = folder
        settings = {"host": HOST, "port": self.relay_port, "console_port": self.console_port}
        environ = environment("RELAY_", settings) | {"SUPPORT_PORT": str(port)}
        super().__init__(
            [], port, {name: value for name, value in environ.items() if name != "PYTHONPATH"}, path="/ready"
        )
        self._command = ["sh", "-c", 'cd "$0" && exec "$1" demo', str(folder), str(commands / "pushdesk-desk")]

    @property
    def relay_url(self) -> str:
        return f"http://{HOST}:{self.relay_port}"


@pytest.fixture(scope="module")
def demo(commands: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(commands, tmp_path_factory.mktemp("demo"))
    try:
        demo.start()
        yield demo
    finally:
        demo.stop()


def test_demo_serves_every_page_with_all_that_it_loads(demo: Demo) -> None:
    for page in (f"{demo.url}/", f"{demo.url}/operator", f"http://{HOST}:{demo.console_port}/"):
        loaded = re.findall(r'(?:src|href)="([^"?:]+\.(?:js|css))"', get(page))
        assert loaded
        for address in loaded:
            assert get(urljoin(page, address))
    for address in ("/client_js/widget.js", "/client_js/pushler.js", "/openapi.yaml"):
        assert get(demo.url + address)
    assert json.loads(get(f"{demo.url}/config"))["app_key"] == "app-key"
    assert get(f"{demo.relay_url}/up")
    assert (demo.folder / "data" / "pushdesk.sqlite3").is_file()
    assert re.search(r"the password +\S{16}", demo.output())


def refused(commands: Path, folder: Path, **environ: object) -> str:
    """What a demonstration says that cannot run."""
    command = [str(commands / "pushdesk-desk"), "demo"]
    values = os.environ | {name: str(value) for name, value in environ.items()}
    done = subprocess.run(
        command, cwd=folder, env=values, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    return done.stderr


def test_demo_that_cannot_have_a_port_stops_all_and_says_which(demo: Demo, commands: Path, tmp_path: Path) -> None:
    said = refused(commands, tmp_path, RELAY_PORT=demo.relay_port, SUPPORT_PORT=free_port())
    assert f"Port {demo.relay_port} is busy" in said
    assert "The relay has ended" in said


@pytest.mark.parametrize("variable", ["RELAY_PORT", "SUPPORT_PORT"])
def test_demo_names_what_is_wrong_with_the_settings(commands: Path, tmp_path: Path, variable: str) -> None:
    assert variable in refused(commands, tmp_path, **{variable: "x"})
    assert not (tmp_path / "data").exists()


def test_demo_stops_both_when_it_is_told_to(demo: Demo) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        assert demo.interrupt([number]) == 0
        for url in (demo.url, demo.relay_url):
            with pytest.raises(OSError, match="refused"):
                get(f"{url}/up")
        demo.start()
    assert "Forgot the password?" in demo.output()
