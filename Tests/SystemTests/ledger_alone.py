"""ledger-service by itself on a site's configuration, of which several may run, and the calls of a web that there is not."""

import os
import signal
import subprocess
import time
from pathlib import Path

from lumen_site import EXECUTABLES, Site
from machine import clean_environment, send, wait_for
from wire import WireClient

# The tests' full size, as `make prove` runs them.
IS_FULL = "PROVE_FULL" in os.environ
OWNER = "web-of-the-tests"
START_SECONDS = 20


class LedgerAlone:
    """A context manager.

    - tracing: options of strace, under which the ledger then runs; it stays our own child.
    """

    def __init__(
        self, site: Site, name: str = "ledger", tracing: tuple = (), environment: dict | None = None, waits: bool = True
    ):
        self.site = site
        self.socket = site.run_dir / f"{name}.sock"
        tracer = ["strace", "-D", "-f", "-qq", "-o", str(site.folder / "strace"), *tracing] if tracing else []
        with site.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*tracer, EXECUTABLES / "ledger-service", "--config", site.config_path, "--listen", self.socket],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment() | (environment or {}),
            )
        if waits:
            wait_for("the ledger", self.answers, START_SECONDS)

    def answers(self) -> bool:
        try:
            with WireClient(self.socket) as peer:
                return bool(peer.hello)
        except (OSError, ValueError):
            return self.process.poll() is not None

    def __enter__(self) -> "LedgerAlone":
        return self

    def __exit__(self, *_) -> None:
        send(self.process.pid, signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def client(self, timeout: float = 20) -> WireClient:
        return WireClient(self.socket, timeout)

    def call(self, method: str, params: dict, timeout: float = 20):
        with self.client(timeout) as peer:
            return peer.call(method, params, deadline_ms=int(timeout * 1000))


class Tracer:
    """strace on a process that runs already; a context manager. It follows every thread."""

    def __init__(self, pid: int, output: Path, *options: str):
        self.process = subprocess.Popen(
            ["strace", "-f", "-o", output, *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True
        )
        attached = self.process.stderr.readline()
        assert "attached" in attached, attached
        # The other threads follow.
        time.sleep(0.2)

    def __enter__(self) -> "Tracer":
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=10)


def account(user: int = 1, groups: tuple = ("default",)) -> dict:
    return {"user": user, "groups": list(groups), "created": 1_700_000_000_000}


def reserve(request: str, tokens: int, user: int = 1, owner: str = OWNER, model: str = "dummy") -> dict:
    """For a prompt of no tokens and so many of output, or none of it."""
    return {
        "request": request,
        "owner": owner,
        "account": account(user),
        "source": "api",
        "model": model,
        "promptBound": tokens - 1,
        "outputs": 1,
        "outputLimit": 1,
    }


def post(request: str, tokens: int, user: int = 1, model: str = "dummy") -> dict:
    usage = {"prompt": tokens - 1, "completion": 1, "isEstimated": False, "durationMs": 5, "outcome": "completed"}
    usage["started"] = int(time.time() * 1000)
    return {"request": request, "account": account(user), "source": "api", "model": model, "usage": usage}


def is_granted(decision: dict) -> bool:
    return "granted" in decision


def budget(tokens: int, refresh: int = 0, starting: int | None = None, **others) -> dict:
    """A change of the configuration: what everybody has."""
    entry = {"max": tokens, "refresh": refresh} | ({} if starting is None else {"starting": starting})
    return {"groups": {"default": {"default": entry}}, **others}
