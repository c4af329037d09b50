"""A whole Lumen on a temporary folder: the real executables, started as an operator would and stopped without a trace."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import openai
import yaml

from echo_backend import EchoBackend
from lumen_config import base_configuration, merged, model
from machine import clean_environment, free_port, http_get, processes, send, wait_for
from wire import WireClient, credential_hash

EXECUTABLES = Path(os.environ.get("LUMEN_BIN", Path(__file__).parents[2] / ".build" / "debug"))
READY_SECONDS = 30
STOP_SECONDS = 20
# In every prompt that `Site` makes up; never in a log.
CANARY = "canary-quetzalcoatl"


class Site:
    """`lumen up` and `lumen dummy`; a context manager that checks, when it ends, that nothing is left of them.

    - changes: laid over the configuration of `lumen_config`, member by member.
    - models: names of the echo backend's models, or members of `models[]` with such a name as `remote`.
    - starts: whether entering starts the site and waits until it is ready; the echo backend runs in any case.
    - under: a command, such as `prlimit` with its options, that starts `lumen up` in its own place.
    """

    def __init__(
        self,
        changes: dict | None = None,
        models: tuple = ("dummy",),
        routers: int = 1,
        starts: bool = True,
        under: tuple = (),
    ):
        # Not pytest's folder: the path of a Unix socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="lumen-"))
        self.run_dir = self.folder / "run"
        self.config_path = self.folder / "config.yaml"
        self.log_path = self.folder / "log"
        self.routers = routers
        self.starts = starts
        self.under = under
        self.supervisor: subprocess.Popen | None = None
        self.backend = EchoBackend(EXECUTABLES, self.folder / "backend.log")
        self.web_port = free_port()
        self.url = f"http://localhost:{self.web_port}"
        self.configuration = merged(base_configuration(self.web_port), changes or {})
        self.configuration["models"] = [model(member, self.backend.any_url) for member in models]
        app = self.configuration["app"]
        self.secrets = {CANARY, app["secret_key"], app["encryption_key"], "backend-key-0123456789"}
        self.write_configuration()

    # Life

    def __enter__(self) -> "Site":
        try:
            if self.starts:
                self.start()
                self.wait_until_ready()
        except BaseException:
            print(self.log_tail())
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            self.stop()
            if kind is None:
                self.check_nothing_is_left()
                self.check_logs()
            else:
                print(self.log_tail())
        finally:
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [*self.under, EXECUTABLES / "lumen", "up", "--config", self.config_path, "--routers", str(self.routers)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
            )

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.supervisor.poll() is None, f"lumen up ended with status {self.supervisor.returncode}"
            status, _ = self.get("/readyz")
            return status == 200

        wait_for("the site to be ready", ready, READY_SECONDS)

    def stop(self) -> None:
        if self.supervisor and self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
            # A test may have stopped services with SIGSTOP; they must not hold up the end.
            self.resume_all()
        if self.supervisor:
            self.supervisor.wait(STOP_SECONDS)
        self.backend.stop()

    def kill(self) -> None:
        for pid in self.pids():
            send(pid, signal.SIGKILL)
        if self.supervisor:
            self.supervisor.wait()
        self.backend.stop()

    # What must hold at the end

    def check_nothing_is_left(self) -> None:
        wait_for("the last process to end", lambda: not self.pids(), 5)
        assert not self.sockets(), f"sockets are left: {self.sockets()}"

    def check_logs(self) -> None:
        log = self.log() + self.backend.log_path.read_text(errors="replace")
        for secret in self.secrets:
            assert secret not in log, f"a log holds {secret[:12]}…: {line_with(secret, log)[:300]}"
        assert "Fatal error" not in log, line_with("Fatal error", log)

    # Processes

    def pids(self) -> list[int]:
        """Every process of this site: its command line names the configuration file."""
        return [pid for pid, arguments in processes() if str(self.config_path) in arguments]

    def services(self, name: str) -> list[int]:
        """The pids of `auth`, `ledger`, `router` or `web`."""
        executable = f"{name}-service"
        return [
            pid
            for pid, arguments in processes()
            if str(self.config_path) in arguments and Path(arguments[0]).name == executable
        ]

    def service(self, name: str) -> int:
        pids = self.services(name)
        assert len(pids) == 1, f"{len(pids)} processes of {name}-service"
        return pids[0]

    def resume_all(self) -> None:
        for pid in self.pids():
            send(pid, signal.SIGCONT)

    def sockets(self) -> list[str]:
        return [path.name for path in self.run_dir.glob("*.sock")] if self.run_dir.exists() else []

    # Configuration

    def write_configuration(self) -> None:
        # Replaced as a whole, as a careful editor does it: no reader sees half a file.
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(self.configuration, sort_keys=False))
        fresh.rename(self.config_path)

    def change_configuration(self, changes: dict) -> None:
        self.configuration = merged(self.configuration, changes)
        self.write_configuration()

    # The operator's command

    def lumen(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [EXECUTABLES / "lumen", *arguments, "--config", self.config_path]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_environment())
        if check:
            assert result.returncode == 0, f"lumen {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result

    def status(self) -> dict:
        return json.loads(self.lumen("status", "--json", check=False).stdout)

    def create_key(self, email: str = "someone@example.edu", name: str = "test") -> str:
        output = self.lumen("key", "create", "--user", email, "--name", name).stdout
        key = re.search(r"sk-lumen-[0-9A-Za-z]{43}", output)
        assert key, f"no key in {output!r}"
        self.secrets.add(key.group())
        return key.group()

    # Clients

    def client(self, key: str, **options) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, **{"max_retries": 0, **options})

    def async_client(self, key: str, **options) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, **{"max_retries": 0, **options})

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; 0 when nobody answers."""
        return http_get(f"http://127.0.0.1:{self.web_port}{path}")

    def observed(self) -> dict:
        """What the echo backend has seen, for tests that ask what reached it."""
        return self.backend.observed()

    # What the services know

    def call(self, service: str, method: str, params: dict) -> dict:
        """One call over the service's own socket."""
        with WireClient(self.run_dir / f"{service}.sock") as peer:
            return peer.call(method, params)

    def account(self, key: str) -> dict:
        hashed = credential_hash(key, self.configuration["app"]["encryption_key"])
        person = self.call("auth", "auth.authenticate", {"key": hashed})["person"]
        return {"user": person["id"], "groups": person["groups"], "created": person["created"]}

    def pool(self, key: str, name: str = "default") -> dict:
        pools = self.call("ledger", "ledger.balances", {"account": self.account(key)})["pools"]
        return next(pool for pool in pools if pool["name"] == name)

    def events(self, key: str, limit: int = 200) -> list[dict]:
        """Usage events, newest first."""
        return self.call("ledger", "ledger.events", {"user": self.account(key)["user"], "limit": limit})

    # Logs

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self) -> list[dict]:
        """Every line of the services' logs that is a JSON object."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def log_tail(self, count: int = 60) -> str:
        paths = [path for path in (self.log_path, self.backend.log_path) if path.exists()]
        return "\n".join(
            f"-- last lines of {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-count:])
            for path in paths
        )


def line_with(text: str, log: str) -> str:
    return next((line for line in log.splitlines() if text in line), "")
