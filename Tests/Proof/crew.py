"""The services of a site, started one by one and started again at once when they die, however often."""

import signal
import subprocess
import threading
import time

from lumen_site import EXECUTABLES, Site
from machine import clean_environment, send, wait_for

STOP_SECONDS = 20


class Crew:
    """A context manager; `lumen up` would give up after ten deaths within five minutes.

    - names: the services; those whose names end with a number are several of a kind.
    - keeps_ids: whether a service that is started again has the same `--id`, as with a supervisor that knows one command.
    """

    def __init__(
        self,
        site: Site,
        names: tuple = ("auth", "ledger", "router1", "router2", "web"),
        keeps_ids: bool = False,
    ):
        self.site, self.names, self.keeps_ids = site, names, keeps_ids
        self.processes: dict[str, subprocess.Popen] = {}
        self.starts = 0
        self.deaths: dict[str, int] = dict.fromkeys(names, 0)
        # Deaths that nobody asked for.
        self.unexpected: list[str] = []
        self.killed: set[int] = set()
        self.is_ending = threading.Event()
        self.lock = threading.Lock()
        self.watcher = threading.Thread(target=self.watch)

    def __enter__(self) -> "Crew":
        try:
            for name in self.names:
                self.start(name)
            wait_for("the site to be ready", lambda: self.site.get("/readyz")[0] == 200, 30)
        except BaseException:
            print(self.site.log_tail())
            self.kill_all()
            raise
        self.watcher.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_ending.set()
        self.watcher.join()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        try:
            for process in self.processes.values():
                process.wait(STOP_SECONDS)
        finally:
            self.kill_all()

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def start(self, name: str, *arguments) -> None:
        self.starts += 1
        service = name.rstrip("0123456789")
        # A router's names its socket, which the next one takes over; all else is new with each process.
        instance = name if service == "router" or self.keeps_ids else f"{name}-{self.starts}"
        with self.site.log_path.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [
                    EXECUTABLES / f"{service}-service",
                    "--config",
                    self.site.config_path,
                    "--id",
                    instance,
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
            )

    def kill(self, names: tuple) -> float:
        """Kills these as nearly at the same instant as it goes; when that was, in milliseconds since 1970."""
        with self.lock:
            # Not before the lock: somebody may be being started.
            now = time.time() * 1000
            pids = [self.processes[name].pid for name in names]
            self.killed.update(pids)
            for pid in pids:
                send(pid, signal.SIGKILL)
        for name in names:
            self.deaths[name] += 1
        return now

    def watch(self) -> None:
        while not self.is_ending.is_set():
            for name in self.names:
                with self.lock:
                    status = self.processes[name].poll()
                    if status is None:
                        continue
                    if self.processes[name].pid not in self.killed:
                        self.unexpected.append(f"{name}: status {status}")
                    self.start(name)
            time.sleep(0.005)
