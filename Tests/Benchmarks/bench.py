"""`make bench`: what the whole path costs, beside a bare nginx under the same load. One JSON line per case.

Release build, loopback, everything on: key, rate limit (far above the load), reservation, durable post. CPU is user and
system time of each process over the run, divided by the work done; backends and clients are not counted.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).parents[2]
os.environ.setdefault("LUMEN_BIN", str(TOP / ".build" / "release"))
sys.path.insert(0, str(TOP / "Tests" / "SystemTests"))

from ledger import pairs  # noqa: E402
from ledger_alone import LedgerAlone  # noqa: E402
from load import OpenStreams, wrk  # noqa: E402
from lumen_site import Site  # noqa: E402
from machine import wait_for  # noqa: E402
from measure import CPUMeter, pss_kb  # noqa: E402
from nginx import Nginx, bare_proxy, fixed_backend  # noqa: E402
from postgres import Postgres  # noqa: E402
from redis_server import Redis  # noqa: E402
from vision_request import seconds as vision_seconds  # noqa: E402

SECONDS = 10
WARM_UP_SECONDS = 3
REST_SECONDS = 10
START_SECONDS = 3
IDLE_STREAMS = 2000
EVENTS = 100
STREAM = f"tokens-{EVENTS}-at-0"
# One event, then silence.
SILENT = "stall-after-1"
MANY_STREAMS = 5000
# One event, then silence that is long enough for all to be open and measured, and the end.
PATIENT = "tokens-2-at-0+gap-20000"
FINISH_SECONDS = 60
# The services raise it themselves.
FEW_DESCRIPTORS = ("prlimit", "--nofile=1024:")
VISION_SIZES = (2_000, 2_000_000)
VISION_REQUESTS = 20
MESSAGES = [{"role": "user", "content": "What is the sum of the first n integers? Show how to find it. " * 3}]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lumen-bench-") as folder:
        backend = fixed_backend(Path(folder) / "backend")
        proxies = []
        try:
            bench(Path(folder), backend, proxies)
        finally:
            for nginx in [backend, *proxies]:
                nginx.stop()


def bench(folder: Path, backend: Nginx, proxies: list[Nginx]) -> None:
    changes = {
        "rate_limiting": {"limit": "1000000000 per minute"},
        "routing": {"idle_timeout": 600, "client_stall_timeout": 600},
    }
    fixed = {"name": "fixed", "endpoints": [{"url": f"http://127.0.0.1:{backend.port}/v1", "api_key": "x"}]}
    site = Site(changes, models=("dummy", fixed, STREAM, SILENT), routers=2)
    echo = site.backend.url.split("/")[2]
    proxies += [
        bare_proxy(folder / "fixed-proxy", f"127.0.0.1:{backend.port}"),
        bare_proxy(folder / "echo-proxy", echo),
    ]
    with site:
        key = site.create_key()
        say(case="idle memory", **idle_memory(site, key))
        for connections in (1, 32, 256):
            say(case=f"non-streaming, {connections} connections", **requests(site, key, proxies[0], connections))
        say(case=f"streams of {EVENTS} events, 64 connections", **streams(site, key, proxies[1], 64))
        say(case="vision request of 2 MB", **vision(site, key))
        say(case=f"{IDLE_STREAMS} idle open streams", **idle_streams(site, key, proxies[1]))
    with Redis() as redis:
        shared = changes | {"rate_limiting": changes["rate_limiting"] | {"storage_url": redis.url}}
        with Site(shared, models=(fixed,), routers=2) as site:
            say(case="non-streaming, 32 connections, limits in Redis", **counted_in_redis(site, redis))
    with Site(changes, models=("dummy", PATIENT), routers=2, under=FEW_DESCRIPTORS) as site:
        say(case=f"{MANY_STREAMS} streams", **many_streams(site))
    say(case="ready", **ready_time(changes))
    say(case="ledger, reserve + durable post, SQLite", **ledger_pairs(changes))
    with Postgres() as server:
        app = {"database_url": server.create_database()}
        say(case="ledger, reserve + durable post, PostgreSQL", **ledger_pairs(changes | {"app": app}))


def requests(site: Site, key: str, proxy: Nginx, connections: int) -> dict:
    body = {"model": "fixed", "messages": MESSAGES, "max_tokens": 100}
    lumen = under_load(site.web_port, key, body, connections, pids(site), 1)
    nginx = under_load(proxy.port, key, body, connections, proxy.pids(), 1)
    return lumen | {"unit": "request", "nginx": nginx, "ratio_to_nginx": ratio(lumen, nginx)}


def streams(site: Site, key: str, proxy: Nginx, connections: int) -> dict:
    """CPU per relayed event: of the 100 with a token; the reservation and the two events around them are included."""
    body = {"model": STREAM, "messages": MESSAGES, "stream": True, "max_tokens": EVENTS}
    lumen = under_load(site.web_port, key, body, connections, pids(site), EVENTS)
    nginx = under_load(proxy.port, key, body, connections, proxy.pids(), EVENTS)
    cpu = lumen["cpu_us"]
    lumen["cpu_us_router_and_web"] = round(sum(cpu[name] for name in cpu if name.startswith(("router", "web"))), 2)
    return lumen | {"unit": "event", "nginx": nginx, "ratio_to_nginx": ratio(lumen, nginx)}


def under_load(port: int, key: str, body: dict, connections: int, processes: dict[str, int], units: int) -> dict:
    wrk(port, key, body, connections, WARM_UP_SECONDS)
    meter = CPUMeter(processes)
    outcome = wrk(port, key, body, connections, SECONDS)
    outcome["cpu_us"] = meter.per(max(1, outcome["requests"]) * units)
    outcome["pss_kb"] = sum(pss_kb(pid) for pid in processes.values())
    return outcome


def ratio(lumen: dict, nginx: dict) -> dict:
    return {
        "cpu": round(lumen["cpu_us"]["sum"] / max(nginx["cpu_us"]["sum"], 0.01), 2),
        "requests_per_s": round(lumen["requests_per_s"] / nginx["requests_per_s"], 3),
    }


def idle_streams(site: Site, key: str, proxy: Nginx) -> dict:
    """Memory per open stream over web and routers, and what 2,000 silent streams cost while nothing happens."""
    body = {"model": SILENT, "messages": MESSAGES, "stream": True, "max_tokens": 10}
    relaying = {name: pid for name, pid in pids(site).items() if name.startswith(("router", "web"))}
    lumen = held_open(site.web_port, key, body, relaying)
    nginx = held_open(proxy.port, key, body, proxy.pids())
    return lumen | {"nginx": nginx}


def held_open(port: int, key: str, body: dict, processes: dict[str, int]) -> dict:
    before = sum(pss_kb(pid) for pid in processes.values())
    with OpenStreams(port, key, body, IDLE_STREAMS):
        after = sum(pss_kb(pid) for pid in processes.values())
        meter = CPUMeter(processes)
        time.sleep(REST_SECONDS)
        cpu = meter.per(REST_SECONDS)
    return {
        "kb_per_stream": round((after - before) / IDLE_STREAMS, 1),
        "pss_kb": after,
        "cpu_percent": {name: round(value / 10_000, 2) for name, value in cpu.items()},
    }


def counted_in_redis(site: Site, redis: Redis) -> dict:
    """Beside the same load with limits in each process: what the shared counters cost the services, and Redis itself."""
    body = {"model": "fixed", "messages": MESSAGES, "max_tokens": 100}
    processes = pids(site) | {"redis": redis.process.pid}
    return under_load(site.web_port, site.create_key(), body, 32, processes, 1) | {"unit": "request"}


def vision(site: Site, key: str) -> dict:
    """What 2 MB cost more than 2 KB, through Lumen and not at the backend itself; medians."""
    through, direct = (
        [statistics.median(vision_seconds(url, key, size, VISION_REQUESTS)) * 1000 for size in VISION_SIZES]
        for url in (f"{site.url}/v1", site.backend.any_url)
    )
    added = (through[1] - direct[1]) - (through[0] - direct[0])
    figures = {"through_ms": through, "direct_ms": direct, "added_ms": added}
    return json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), 2))


def many_streams(site: Site) -> dict:
    """Opened as fast as they can be, by services that were started with 1,024 descriptors; memory over all processes."""
    key = site.create_key()
    idle_memory(site, key, model="dummy")
    processes = pids(site)
    before = {name: pss_kb(pid) for name, pid in processes.items()}
    meter = CPUMeter(processes)
    body = {"model": PATIENT, "messages": MESSAGES, "stream": True, "max_tokens": 10}
    with OpenStreams(site.web_port, key, body, MANY_STREAMS) as streams:
        cpu = meter.per(MANY_STREAMS)
        time.sleep(START_SECONDS)
        added = {name: pss_kb(pid) - before[name] for name, pid in processes.items()}
        finished = streams.finish(FINISH_SECONDS)
    return {
        "opened_s": round(streams.seconds, 2),
        "finished": finished,
        "cpu_us_to_open": cpu,
        "kb_per_stream": {name: round(kb / MANY_STREAMS, 1) for name, kb in (added | {"sum": sum(added.values())}).items()},
    }


def idle_memory(site: Site, key: str, model: str = "fixed") -> dict:
    # The services give back what only their start needed after a second; what the requests need counts.
    time.sleep(START_SECONDS)
    body = {"model": model, "messages": MESSAGES, "max_tokens": 100}
    with site.client(key) as client:
        for _ in range(100):
            client.chat.completions.create(**body)
    time.sleep(REST_SECONDS)
    pss = {name: pss_kb(pid) for name, pid in pids(site).items()}
    return {"pss_kb": pss | {"sum": sum(pss.values())}}


def ready_time(changes: dict) -> dict:
    """From the start of `lumen up` to the first `/readyz` that says so; an empty folder and one with its databases."""
    seconds = []
    with Site(changes, routers=2, starts=False) as site:
        for _ in range(2):
            start = time.monotonic()
            site.start()
            wait_for("the site to be ready", lambda: site.get("/readyz")[0] == 200, 30)
            seconds.append(round(time.monotonic() - start, 3))
            site.supervisor.terminate()
            site.supervisor.wait()
    return {"seconds_first": seconds[0], "seconds_again": seconds[1]}


def ledger_pairs(changes: dict) -> dict:
    with Site(changes, models=("fixed",), starts=False) as site, LedgerAlone(site) as ledger:
        return pairs(ledger.socket, ledger.process.pid)


def pids(site: Site) -> dict[str, int]:
    routers = {f"router {n}": pid for n, pid in enumerate(site.services("router"), 1)}
    single = {name: site.service(name) for name in ("auth", "ledger", "web")}
    return single | routers | {"lumen up": site.supervisor.pid}


def say(**line) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
