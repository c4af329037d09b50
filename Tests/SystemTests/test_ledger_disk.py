"""The ledger's SQLite file: nothing is acknowledged that is not on disk, whatever the disk does and whenever it dies."""

import re
import signal

import pytest

from books import Books
from ledger_alone import IS_FULL, OWNER, LedgerAlone, Tracer, account, budget, post, reserve
from lumen_site import Site
from machine import wait_for
from wire import WireError

MAX = 1000
# What a refused post costs its caller is bounded by this, whatever the disk says.
ANSWERED_SECONDS = 5
# Some of the writes, or each.
STEP = 1 if IS_FULL else 3
SURVIVED_AT_MOST = 1000
OVERRIDE = {"max": {"tokens": {"_0": 70}}, "refresh": 0, "starting": 70}


def test_a_post_is_answered_after_it_is_synced():
    with Site(budget(MAX), starts=False) as site, LedgerAlone(site) as ledger, ledger.client() as peer:
        peer.call("ledger.reserve", reserve("r1", 100))
        trace = site.folder / "trace"
        calls = "trace=fdatasync,fsync,read,recvfrom,readv,recvmsg,write,writev,sendto,sendmsg"
        with Tracer(ledger.process.pid, trace, "-s", "64", "-e", calls):
            peer.call("ledger.post", post("r1", 60))
        lines = trace.read_text().splitlines()
        arrived = index_of(lines, r'ledger\.post')
        replied = index_of(lines, r'(write|writev|sendto|sendmsg)\(.*billed')
        synced = index_of(lines[arrived:], r"(fdatasync|fsync)\b.* = 0|(fdatasync|fsync) resumed.* = 0") + arrived
        assert arrived < synced < replied, "\n".join(lines)


def index_of(lines: list[str], pattern: str) -> int:
    found = [index for index, line in enumerate(lines) if re.search(pattern, line)]
    assert found, f"no {pattern} in\n" + "\n".join(lines)
    return found[0]


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwrite64:error=ENOSPC"])
def test_a_disk_that_fails(fault):
    with Site(budget(MAX), starts=False) as site, LedgerAlone(site) as ledger, ledger.client() as peer:
        books = Books(site, None)
        for number in range(4):
            peer.call("ledger.reserve", reserve(f"r{number}", 100))
        peer.call("ledger.post", post("r0", 60))
        with Tracer(ledger.process.pid, site.folder / "trace", "-e", f"inject={fault}"):
            for _ in range(2):
                with pytest.raises(WireError, match="storage_failed"):
                    ledger.call("ledger.post", post("r1", 60), ANSWERED_SECONDS)
            with pytest.raises(WireError, match="storage_failed|unavailable"):
                ledger.call("ledger.reserve", reserve("r9", 10), ANSWERED_SECONDS)
        # By itself, and for callers that try again.
        wait_for("the ledger to recover", lambda: billed(ledger, "r1"))
        assert [billed(ledger, f"r{number}") for number in range(2, 4)] == [60, 60]
        assert peer.call("ledger.verify", {})["faults"] == []
        assert (books.pools()[0]["balance"], books.held()) == (MAX - 4 * 60, (0, 0))
        assert len(books.events()) == 4


def billed(ledger: LedgerAlone, request: str) -> int | None:
    try:
        return ledger.call("ledger.post", post(request, 60))["billed"]
    except WireError:
        return None


def test_killed_at_every_write_and_sync():
    """A short story is told again and again, and the ledger dies at the n-th write or sync of a thread, for each n."""
    with Site(budget(MAX), starts=False) as site:
        # The tables are made once.
        with LedgerAlone(site):
            pass
        path = site.folder / "lumen.ledger.db"
        template = path.read_bytes()
        deaths = 0
        for call in ("pwrite64", "fdatasync"):
            when = 1
            while dies_and_recovers(site, f"{call}:signal=KILL:when={when}"):
                deaths += 1
                when += STEP
                assert when < SURVIVED_AT_MOST
                for file in site.folder.glob("lumen.ledger.db*"):
                    file.unlink()
                path.write_bytes(template)
        print(f"the ledger died at {deaths} different moments")
        assert deaths >= 3


class Story:
    """Steps whose acknowledgements are noted until the ledger dies. Each may be taken again."""

    def __init__(self):
        self.acknowledged: set[str] = set()

    def tell(self, ledger: LedgerAlone) -> None:
        with ledger.client(timeout=10) as peer:
            for name, method, params in self.steps():
                peer.call(method, params)
                self.acknowledged.add(name)

    def steps(self):
        for number in range(3):
            yield f"reserve {number}", "ledger.reserve", reserve(f"r{number}", 100)
            yield f"post {number}", "ledger.post", post(f"r{number}", 50 + number)
        override = {"user": 2, "pool": "default", "budget": OVERRIDE}
        yield "override", "ledger.set_override", override
        yield "reserve of 2", "ledger.reserve", reserve("r3", 60, user=2)
        yield "post of 2", "ledger.post", post("r3", 60, user=2)


def dies_and_recovers(site: Site, fault: str) -> bool:
    """Whether the ledger died of it. Afterwards everything acknowledged is there, once, and the rest can be done again."""
    story = Story()
    dying = LedgerAlone(site, tracing=("-e", "trace=pwrite64,fdatasync", "-e", f"inject={fault}"))
    try:
        if dying.process.poll() is None:
            story.tell(dying)
    except (OSError, ConnectionError):
        pass
    survived = dying.process.poll() is None
    if survived:
        dying.process.send_signal(signal.SIGTERM)
    status = dying.process.wait(20)
    assert survived or status == -signal.SIGKILL, f"{fault}: status {status}"
    books = Books(site, None)
    with LedgerAlone(site) as ledger:
        ledger.call("ledger.assert", {"owner": OWNER, "reservations": []})
        assert not books.broken_invariants(), fault
        billed = {event["request"] for event in books.events()}
        acknowledged = {f"r{number}" for number in range(3) if f"post {number}" in story.acknowledged}
        acknowledged |= {"r3"} & ({"r3"} if "post of 2" in story.acknowledged else set())
        assert acknowledged <= billed, fault
        if "override" in story.acknowledged:
            assert ledger.call("ledger.overrides", {"user": 2})[0]["budget"] == OVERRIDE
        Story().tell(ledger)
        pools = ledger.call("ledger.balances", {"account": account(2)})["pools"]
        assert [(pool["balance"], pool["reserved"]) for pool in pools] == [(10, 0)], fault
        assert ledger.call("ledger.verify", {})["faults"] == [], fault
        assert [(pool["balance"], pool["reserved"]) for pool in books.pools()] == [(MAX - 153, 0), (10, 0)], fault
        assert len(books.events()) == 4
    return not survived
