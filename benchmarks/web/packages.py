"""The runtimes of a browser: two npm packages at exact versions, of which some files are taken.

npm itself fetches the archives, so that its own settings (proxy, mirror) hold. An archive counts
only if its SHA-512 is the one below; only members that are named below are read from it, and each
is written under a name that is given here, whatever the archive calls it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from runtimes.atomic import check_folder, replacing_folder, write_json
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json

RECORD = "packages.json"
USUAL = Path(".web")
FETCH = "python -m benchmarks web --fetch"
_MOST_BYTES = 200_000_000
_PATIENCE_S = 600


@dataclass(frozen=True)
class Package:
    """An npm package at one version.

    Attributes:
        name: as the registry calls it.
        version: exact.
        integrity: "sha512-" and the archive's SHA-512 in base64, as npm writes it.
        members: path in the archive to the name under which it is kept.
        replaced: kept name to (text, its replacement); the text stands there exactly once.
    """

    name: str
    version: str
    integrity: str
    members: dict[str, str]
    replaced: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


_BUILDS = ("litert_wasm", "litert_wasm_compat", "litert_wasm_threaded")
_LITERT_WASM = tuple(f"{build}_internal.{end}" for build in _BUILDS for end in ("js", "wasm"))
_ORT_WASM = ("ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")

LITERT = Package(
    "@litertjs/core",
    "2.5.3",
    "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    {
        "package/dist/index.js": "litert.js",
        **{f"package/wasm/{name}": name for name in _LITERT_WASM},
    },
    # A worker has no import map that would resolve the bare name.
    {"litert.js": ('from "@litertjs/wasm-utils"', 'from "./litert-wasm-utils.js"')},
)
WASM_UTILS = Package(
    "@litertjs/wasm-utils",
    "2.5.3",
    "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
    {"package/dist/index.js": "litert-wasm-utils.js"},
)
ORT = Package(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    {
        "package/dist/ort.wasm.min.mjs": "ort.mjs",
        **{f"package/dist/{name}": name for name in _ORT_WASM},
    },
)
PACKAGES = (LITERT, WASM_UTILS, ORT)


def fetch_packages(folder: Path) -> None:
    """Fetches all packages into a folder, about 45 MB, and records the hash of every file.

    Raises:
        InputError: npm is missing or fails, an archive is another than the one that is pinned, or
            the folder holds something else.
    """
    check_folder(folder, RECORD, (RECORD, *_names()))
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            "npm is not installed, and it fetches the browser's runtimes. Install Node.js (Debian, "
            f"Ubuntu: sudo apt install npm; macOS: brew install node), then: {FETCH}"
        )
    with replacing_folder(folder) as new:
        for package in PACKAGES:
            unpack(package, fetch_archive(package, npm), new)
        files = {name: sha256_of(new / name) for name in _names()}
        write_json(new / RECORD, {"packages": list(map(str, PACKAGES)), "files": files})


def fetch_archive(package: Package, npm: str) -> bytes:
    """Returns the archive of a package as npm fetches it, unchecked.

    Raises:
        InputError: npm fails.
    """
    with tempfile.TemporaryDirectory() as work:
        words = [npm, "pack", str(package), "--ignore-scripts", "--pack-destination", work]
        try:
            done = subprocess.run(
                words, cwd=work, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(f"npm took longer than {_PATIENCE_S} s for {package}.") from error
        archives = list(Path(work).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            said = [line for line in done.stderr.splitlines() if "npm" in line] or ["no reason"]
            raise InputError(
                f"`npm pack {package}` failed ({said[0][:300]}). Check the network and npm's "
                f"settings (npm config list), then: {FETCH}"
            )
        return archives[0].read_bytes()


def unpack(package: Package, archive: bytes, folder: Path) -> None:
    """Writes the named members of an archive into a folder, under the names given to them.

    Raises:
        InputError: the archive is not the one that is pinned, or a member is missing or no file.
    """
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if digest != package.integrity:
        raise InputError(
            f"{package}: the archive that npm fetched has {digest[:19]}…, expected "
            f"{package.integrity[:19]}…. It is not the one that was tested; ask whoever runs your "
            "npm mirror, and fetch it again."
        )
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        for member in opened:
            if member.name not in package.members:
                continue
            stream = opened.extractfile(member) if member.isreg() else None
            if stream is None or member.size > _MOST_BYTES or member.name in found:
                raise InputError(
                    f"{package}: {member.name!a} is no plain file, or twice in the archive."
                )
            found[member.name] = stream.read()
    for path, name in package.members.items():
        if path not in found:
            raise InputError(f"{package}: {path} is not in the archive, expected it there.")
        (folder / name).write_bytes(_with_replacement(package, name, found[path]))


def _with_replacement(package: Package, name: str, content: bytes) -> bytes:
    if name not in package.replaced:
        return content
    old, new = (text.encode() for text in package.replaced[name])
    if content.count(old) != 1:
        raise InputError(f"{package}: {name} has {old.decode()} {content.count(old)} times, not 1.")
    return content.replace(old, new)


def read_packages(folder: Path) -> dict[str, bytes]:
    """Returns name to content of every file of a folder that `fetch_packages` filled.

    Raises:
        InputError: it was not fetched, for other versions, or a file was changed since.
    """
    try:
        record = read_json(folder / RECORD)
        packages, files = record["packages"], dict(record["files"])
    except (OSError, ValueError, KeyError, TypeError):
        packages, files = None, {}
    if packages != list(map(str, PACKAGES)) or set(files) != set(_names()):
        raise InputError(
            f"{folder} does not hold the browser's runtimes ({', '.join(map(str, PACKAGES))}). "
            f"Fetch them once: {_fetch(folder)}"
        )
    contents = {}
    for name in _names():
        try:
            contents[name] = (folder / name).read_bytes()
        except OSError:
            contents[name] = b""
        if hashlib.sha256(contents[name]).hexdigest() != files[name]:
            raise InputError(
                f"{folder / name} is not what was fetched. Fetch it again: {_fetch(folder)}"
            )
    return contents


def _fetch(folder: Path) -> str:
    """The command that fills the folder."""
    return FETCH if folder == USUAL else f"{FETCH} --folder {shlex.quote(str(folder))}"


def _names() -> tuple[str, ...]:
    return tuple(name for package in PACKAGES for name in package.members.values())
