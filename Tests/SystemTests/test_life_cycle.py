"""Starting, refusing to start, and leaving without a trace."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from chats import ask, content_events
from lumen_site import EXECUTABLES, Site
from machine import clean_environment, wait_for


def test_misspelt_key_starts_nothing():
    with Site(starts=False) as site:
        text = site.config_path.read_text().replace("secret_key:", "secret_kee:")
        site.config_path.write_text(text)
        place = f"config.yaml:{1 + text[: text.index('secret_kee')].count(chr(10))}"

        check = site.lumen("check", check=False)
        assert check.returncode == 1
        assert place in check.stdout + check.stderr
        assert "secret_kee" in check.stdout + check.stderr

        up = site.lumen("up", check=False)
        assert up.returncode == os.EX_CONFIG
        assert place in up.stdout + up.stderr
        assert site.pids() == []
        assert site.sockets() == []


def test_good_configuration_has_no_complaint():
    with Site(starts=False) as site:
        assert site.lumen("check").returncode == 0


@pytest.mark.parametrize("service", ["auth", "ledger", "router", "web"])
def test_service_by_hand_refuses_a_bad_configuration(service):
    with Site({"app": {"nonsense": 1}}, starts=False) as site:
        result = subprocess.run(
            [EXECUTABLES / f"{service}-service", "--config", site.config_path],
            capture_output=True,
            text=True,
            timeout=20,
            env=clean_environment(),
        )
        assert result.returncode == os.EX_CONFIG
        assert "nonsense" in result.stdout + result.stderr


def test_sigterm_lets_a_running_stream_finish():
    with Site(models=("tokens-40-at-20",)) as site:
        with site.client(site.create_key()) as client:
            received = 0
            for _ in content_events(ask(client, "tokens-40-at-20", stream=True)):
                received += 1
                if received == 3:
                    site.supervisor.send_signal(signal.SIGTERM)
        assert received == 40
        site.supervisor.wait(10)


def test_kill_9_of_the_supervisor_leaves_no_process():
    with Site(routers=2) as site:
        assert len(site.pids()) == 6
        site.supervisor.kill()
        site.supervisor.wait()
        wait_for("the services to notice", lambda: not site.pids(), 15)
        site.start()
        site.wait_until_ready()
        with site.client(site.create_key()) as client:
            ask(client)


def test_memory_of_the_start_is_given_back():
    with Site() as site:
        pids = site.pids()
        wait_for("smaller processes", lambda: all(rss_kb(pid) < 0.7 * rss_kb(pid, most=True) for pid in pids))
        with site.client(site.create_key()) as client:
            ask(client)
        assert site.pids() == pids


def rss_kb(pid: int, most: bool = False) -> int:
    """The memory that the process has mapped, or the most that it ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:" if most else "VmRSS:")[1].split()[0])


def test_second_supervisor_is_refused():
    with Site() as site:
        second = site.lumen("up", check=False)
        assert second.returncode != 0
        assert (site.get("/readyz"))[0] == 200


def test_status_names_every_instance():
    with Site(routers=2) as site:
        instances = site.status()["instances"]
        assert sorted(one["service"] for one in instances) == ["auth", "ledger", "router", "router", "web"]
        assert {one["pid"] for one in instances} == set(site.pids()) - {site.supervisor.pid}
        assert all(one["problems"] == [] for one in instances)


def test_budgets_and_keys_outlive_a_restart():
    with Site() as site:
        key = site.create_key()
        with site.client(key) as client:
            ask(client)
        balance = site.pool(key)["balance"]
        site.supervisor.terminate()
        site.supervisor.wait(20)
        site.start()
        site.wait_until_ready()
        assert site.pool(key)["balance"] == balance
        with site.client(key) as client:
            ask(client)
