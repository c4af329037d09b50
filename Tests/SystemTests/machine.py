"""Processes, ports and waiting: what the tests ask of the machine they run on."""

import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Callable, TypeVar

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], seconds: float = 10) -> T:
    """Asks again and again until the answer is true, and gives it back."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def processes() -> list[tuple[int, list[str]]]:
    """The running processes, without the ended ones that nobody has waited for."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if arguments[0]:
                found.append((int(entry.name), arguments))
    return found


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def clean_environment() -> dict[str, str]:
    """Without what would override the configuration of the site."""
    overriding = re.compile(r"LUMEN_|OAUTH2_|DATABASE_URL$|CONFIG_YAML$")
    environment = {name: value for name, value in os.environ.items() if not overriding.match(name)}
    # A crash report keeps the dying process's pipes open for seconds.
    return environment | {"SWIFT_BACKTRACE": "enable=no"}
