#!/usr/bin/env python3
"""Fetches the browser libraries named in vendor.list into a folder, and checks each file's SHA-256.

usage: fetch_vendor.py TARGET_FOLDER

Does nothing when the folder already holds what the list says. The packages come by name from wherever this machine's
apt and pip are configured to look; pip is the one of the Python that runs this script.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("vendor.list")


class Entry(NamedTuple):
    kind: str
    package: str
    sha256: str
    target: str
    member: str


def main() -> None:
    target = Path(sys.argv[1])
    stamp = target / ".list-sha256"
    wanted = hashlib.sha256(LIST.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Fetching the browser libraries (a few seconds) ...", flush=True)
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        collect(read_list(), Path(folder), fresh)
    (fresh / stamp.name).write_text(wanted)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def read_list() -> list[Entry]:
    lines = LIST.read_text().splitlines()
    return [Entry(*line.split()) for line in lines if line and not line.startswith("#")]


def collect(entries: list[Entry], downloads: Path, target: Path) -> None:
    roots = {}
    for kind, package in {(entry.kind, entry.package) for entry in entries}:
        roots[package] = FETCHERS[kind](package, downloads)
    for entry in entries:
        content = (roots[entry.package] / entry.member).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != entry.sha256:
            sys.exit(
                f"{entry.package}: {entry.member} has SHA-256 {found}, vendor.list says {entry.sha256}.\n"
                "The package has changed: look at the new file, then put its checksum into tools/vendor.list."
            )
        path = target / entry.target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def fetch_deb(package: str, downloads: Path) -> Path:
    folder = downloads / package
    folder.mkdir()
    # Without the option apt warns that its sandbox user cannot write into our folder.
    command = ["apt-get", "--quiet=2", "--option=APT::Sandbox::User=root", "download", package]
    if subprocess.run(command, cwd=folder, capture_output=True).returncode != 0:
        # A fresh container has no package lists yet; only root can fetch them.
        subprocess.run(["apt-get", "--quiet=2", "update"], check=False, capture_output=True)
        run(command, folder)
    root = folder / "root"
    run(["dpkg-deb", "--extract", str(next(folder.glob("*.deb"))), str(root)], folder)
    return root


def fetch_wheel(requirement: str, downloads: Path) -> Path:
    folder = downloads / requirement.partition("==")[0]
    folder.mkdir()
    run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", requirement], folder)
    root = folder / "root"
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(root)
    return root


def run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr.strip()}")


FETCHERS = {"deb": fetch_deb, "wheel": fetch_wheel}

if __name__ == "__main__":
    main()
