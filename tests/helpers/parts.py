"""Parts that some tests need and that pip does not install: Node.js, the npm packages of tests/interop, Chromium,
nginx, Redis, PostgreSQL, Java, PHP.

A missing part fails the test in CI (CI=true) and skips it visibly everywhere else.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import pytest

INTEROP: Final = Path(__file__).parents[1] / "interop"
NODE_PACKAGES_FOLDER: Final = INTEROP / "node_modules"
JAVA_PACKAGES_FOLDER: Final = INTEROP / "java" / "lib"
CHROMIUM_PATH: Final = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NGINX_PATH: Final = Path("/usr/sbin/nginx")

# Another one may be named, to see the relay over it: a newer Redis, or Valkey.
REDIS_SERVER: Final = os.environ.get("PUSHDESK_REDIS_SERVER", "redis-server")

NODE_MAJOR: Final = 20
JAVA_MAJOR: Final = 11
_VERSION_TIMEOUT: Final = 20.0


@dataclass(frozen=True)
class Part:
    """Something that must be installed: `problem` says what is wrong with it, None if nothing is; `remedy` what to run."""

    name: str
    problem: Callable[[], str | None]
    remedy: str


def require(*parts: Part) -> None:
    """Go on only if all the parts are there: else fail the test in CI, and skip it elsewhere."""
    for part in parts:
        problem = part.problem()
        if problem is not None:
            _stop(f"{part.name}: {problem}. Run: {part.remedy}")


def _stop(message: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@cache
def _node_problem() -> str | None:
    node = shutil.which("node")
    if node is None:
        return "node is not on the PATH"
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT, check=False)
    version = re.match(r"v(\d+)\.", answer.stdout)
    if version is None or int(version[1]) < NODE_MAJOR:
        return (
            f"version {NODE_MAJOR} or later is needed, {node} says {answer.stdout.strip() or answer.stderr.strip()!r}"
        )
    return None


@cache
def _node_packages_problem() -> str | None:
    package: dict[str, dict[str, str]] = json.loads((INTEROP / "package.json").read_text())
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        manifest = NODE_PACKAGES_FOLDER / name / "package.json"
        if not manifest.is_file():
            return f"{name} is not installed"
        installed = json.loads(manifest.read_text())["version"]
        # An alias is written npm:NAME@VERSION.
        if installed != version.rpartition("@")[2]:
            return f"{name} is installed in version {installed}, package.json wants {version}"
    return None


def _file_problem(path: Path) -> str | None:
    return None if path.is_file() else f"{path} does not exist"


def java_packages() -> dict[str, str]:
    """The packages of tests/interop/java/pom.xml, and their versions."""
    pom = (INTEROP / "java" / "pom.xml").read_text()
    return dict(re.findall("<artifactId>([^<]*)</artifactId><version>([^<]*)</version></dependency>", pom))


@cache
def _java_problem() -> str | None:
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        return "there is no JDK on the PATH"
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    if version is None or int(version[1]) < JAVA_MAJOR:
        return f"version {JAVA_MAJOR} or later is needed, {java} says {answer.stderr.partition(chr(10))[0]!r}"
    return None


def _java_packages_problem() -> str | None:
    for name, version in java_packages().items():
        if not (JAVA_PACKAGES_FOLDER / f"{name}-{version}.jar").is_file():
            return f"{name} {version} is not in {JAVA_PACKAGES_FOLDER.relative_to(INTEROP.parents[1])}"
    return None


@cache
def _php_problem() -> str | None:
    php = shutil.which("php")
    if php is None:
        return "php is not on the PATH"
    answer = subprocess.run([php, "-m"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT, check=False)
    return None if "curl" in answer.stdout.split() else "PHP has no curl"


@cache
def postgres_programs() -> Path:
    """The folder with PostgreSQL's programs for servers, which Debian keeps out of the PATH: of the newest version."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = shutil.which("initdb")
    return installed[-1] if installed else Path(found or "/usr/bin/initdb").parent


NODE: Final = Part(f"Node.js {NODE_MAJOR}", _node_problem, "apt-get install nodejs")
NODE_PACKAGES: Final = Part(
    "the npm packages of tests/interop", _node_packages_problem, "npm ci --prefix tests/interop"
)
REDIS: Final = Part(
    "Redis",
    lambda: None if shutil.which(REDIS_SERVER) else f"there is no {REDIS_SERVER}",
    "apt-get install redis-server",
)
POSTGRES: Final = Part(
    "PostgreSQL", lambda: _file_problem(postgres_programs() / "initdb"), "apt-get install postgresql"
)
NGINX: Final = Part("nginx", lambda: _file_problem(NGINX_PATH), "apt-get install nginx-light")
CHROMIUM: Final = Part("Chromium", lambda: _file_problem(CHROMIUM_PATH), "apt-get install chromium")
JAVA: Final = Part(f"Java {JAVA_MAJOR}", _java_problem, "apt-get install default-jdk-headless maven")
JAVA_PACKAGES: Final = Part("the Maven packages of tests/interop/java", _java_packages_problem, "make java")
PHP: Final = Part("PHP with curl", _php_problem, "apt-get install php-cli php-curl")
