"""`lumen dummy` as a child process on a port of the kernel's choice."""

import json
import re
import subprocess
from pathlib import Path

from machine import clean_environment, http_get, wait_for


class EchoBackend:
    """Runs from its creation until `stop`."""

    def __init__(self, executables: Path, log_path: Path):
        self.log_path = log_path
        with log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [executables / "lumen", "dummy", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
            )
        try:
            self.url = wait_for("the echo backend", self.announced_url)
        except AssertionError:
            self.stop()
            raise
        # Below it /models lists nothing, so that a router takes any model name as served.
        self.any_url = self.url.removesuffix("/v1") + "/any/v1"

    def announced_url(self) -> str | None:
        assert self.process.poll() is None, f"lumen dummy ended: {self.log_path.read_text()}"
        announced = re.search(r"http://127\.0\.0\.1:\d+/v1", self.log_path.read_text())
        return announced and announced.group()

    def observed(self) -> dict:
        """What the latest requests got and when their clients left."""
        status, body = http_get(self.url.removesuffix("/v1") + "/observed")
        assert status == 200, f"GET /observed: {status}"
        return json.loads(body)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
