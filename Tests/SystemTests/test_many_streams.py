"""Many streams at once, by services that were started with room for few: all of them end well."""

import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "Benchmarks"))

from ledger_alone import IS_FULL
from load import OpenStreams
from lumen_site import Site

STREAMS = 5000 if IS_FULL else 800
# Each takes two descriptors in web.
DESCRIPTORS = 1024
# One token, silence until all are open, one more.
PATIENT = "tokens-2-at-0+gap-20000" if IS_FULL else "tokens-2-at-0+gap-5000"
FINISH_SECONDS = 90


def test_more_streams_than_descriptors_were_given():
    with Site(models=(PATIENT,), routers=2, under=("prlimit", f"--nofile={DESCRIPTORS}:")) as site:
        assert open_files(site.supervisor.pid)[0] == DESCRIPTORS
        for name in ("auth", "ledger", "web", "router"):
            for pid in site.services(name):
                soft, hard = open_files(pid)
                assert soft == hard > 2 * STREAMS, name
        body = {"model": PATIENT, "messages": [{"role": "user", "content": "x"}], "stream": True, "max_tokens": 10}
        with OpenStreams(site.web_port, site.create_key(), body, STREAMS) as streams:
            print(f"{STREAMS} streams were open after {streams.seconds:.1f} s")
            assert streams.finish(FINISH_SECONDS) == STREAMS


def open_files(pid: int) -> tuple[int, int]:
    """The soft and the hard limit of a process's descriptors."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    soft, hard = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.MULTILINE).groups()
    return int(soft), int(hard)
