"""A throw-away Redis server on a Unix socket in a folder of its own."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS = 10
STOP_SECONDS = 10


class Redis:
    """A server that writes nothing to a disk, a context manager."""

    def __init__(self, *options: str):
        # Short, for the socket's path.
        self.folder = Path(tempfile.mkdtemp(prefix="lumen-redis-"))
        self.socket = self.folder / "redis.sock"
        self.options = options
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Redis":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        settings = {"port": "0", "unixsocket": self.socket, "dir": self.folder, "save": "", "appendonly": "no"}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", *options, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Not stopped by a Ctrl-C that is meant for the tests: they need it until their end.
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not self.socket.exists() or self.ask("PING") != "PONG":
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.resume()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_SECONDS)

    def suspend(self) -> None:
        """Stops the server as it is: it answers nothing, and nobody is told."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> str:
        """What redis-cli prints."""
        command = ["redis-cli", "-s", self.socket, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()

