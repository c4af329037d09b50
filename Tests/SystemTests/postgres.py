#!/usr/bin/env python3
"""A throw-away PostgreSQL server on a Unix socket in a folder of its own.

As a command, `postgres.py COMMAND…` runs the command with LUMEN_TEST_POSTGRES set to the URL of a server that lives as long
as the command does; its exit status is the command's.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 30
VARIABLE = "LUMEN_TEST_POSTGRES"


def programs() -> Path:
    """The folder of Debian's newest PostgreSQL, whose programs are not on the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert folders, "there is no PostgreSQL server here; tools/setup test installs it"
    return folders[-1]


class Postgres:
    """A server with its own data, a context manager. fsync stays on: the tests are also about its time."""

    def __init__(self):
        # Short, for the socket's path.
        self.folder = Path(tempfile.mkdtemp(prefix="lumen-pg-"))
        # The server refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.data = self.folder / "data"
        self.process: subprocess.Popen | None = None
        options = ["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        self.run("initdb", "--pgdata", self.data, "--no-sync", *options)

    def __enter__(self) -> "Postgres":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    # Life

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.folder,
            "max_connections": 300,
            "shared_buffers": "32MB",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [programs() / "postgres", "-D", self.data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                # Not stopped by a Ctrl-C that is meant for the tests: they need it until their end.
                start_new_session=True,
                cwd=self.folder,
            )
        end = time.monotonic() + START_SECONDS
        while self.run("pg_isready", "--host", self.folder, "--quiet", check=False) != 0:
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.resume()
            # "Fast": without waiting for the clients to leave.
            self.process.send_signal(signal.SIGINT)
            self.process.wait(STOP_SECONDS)

    def suspend(self) -> None:
        """Stops the server and all its processes as they are: they answer nothing, and nobody is told."""
        for pid in [self.process.pid, *self.children()]:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in [*self.children(), self.process.pid]:
            os.kill(pid, signal.SIGCONT)

    def children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def run(self, program: str, *arguments, check: bool = True) -> int:
        command = [programs() / program, *arguments]
        result = subprocess.run(command, user=self.user, cwd=self.folder, capture_output=True, text=True)
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result.returncode

    # Databases

    @property
    def url(self) -> str:
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        return create_database(self.url)


def create_database(server: str) -> str:
    """A new, empty database of this server; it goes with the server."""
    name = f"lumen_test_{secrets.token_hex(5)}"
    query(server, f"CREATE DATABASE {name}")
    # Of two names the last one counts.
    return f"{server}&dbname={name}"


def query(url: str, sql: str) -> str:
    """What psql prints: rows of columns with `|` between them."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql, url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def main(command: list[str]) -> int:
    # So that the server ends also when the command is to be stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Postgres() as server:
        return subprocess.run(command, env=os.environ | {VARIABLE: server.url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
