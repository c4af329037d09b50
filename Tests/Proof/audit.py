"""Compares what clients saw and what the backend sent with what was billed."""

from collections import Counter
from dataclasses import dataclass

from books import Books
from clients import LONGEST_SECONDS, RATE, Sent

# Progress goes to the ledger every second and is on disk with the next commit; a ledger that dies too is told again when
# it is back. What a stream makes in that time, and while there is no ledger, is all that a web's death may leave unbilled.
UNBILLED_SECONDS = 5
UNBILLED_BOUND = UNBILLED_SECONDS * RATE
# Two deaths that close are one: the ledger could not yet have been told again.
DOUBLE_MS = 2000
CLOCK_SLACK_MS = 50
# What a client left is billed within this: by the ledger within 2 s, else kept. A web that dies before takes it along.
BILLING_MS = 4000


@dataclass
class Away:
    """Who was not there; times are milliseconds since 1970.

    - deaths: when which service was killed.
    - absences: from when to when the ledger did not answer.
    """

    deaths: list[tuple[float, str]]
    absences: list[tuple[float, float]]

    def without_ledger(self, one: Sent) -> float:
        """Seconds of a request."""
        overlaps = (min(end, one.ended_ms) - max(start, one.started_ms) for start, end in self.absences)
        return sum(max(0, overlap) for overlap in overlaps) / 1000


def audited(sent: list[Sent], keys: list[int], produced: dict[str, int], books: Books, away: Away) -> dict:
    """Figures, and a sentence for each breach.

    - keys: the ids of the clients' keys.
    - produced: tokens that the backend sent, by the requests' names.
    """
    events = books.events()
    pools = books.pools()
    billed = by_request(events)
    breaches = [*lost_posts(sent, billed), *wrong_sums(events, pools)]
    breaches += [f"{one.name} had no answer for {LONGEST_SECONDS} s" for one in sent if one.is_hung]
    lost_posts_count = len(breaches)
    gaps = unbilled(sent, keys, produced, billed, away)
    breaches += [f"{gap['name']}: {gap['tokens']} tokens unbilled" for gap in gaps if gap["tokens"] > gap["bound"]]
    # Without a death, what a backend had sent when it saw the cancel may be more than what had arrived; not all of it.
    breaches += [f"not billed at all: {gap}" for gap in gaps if gap["cause"] == "other" and gap["event"] is None]
    return {
        "requests": len(sent),
        "statuses": dict(Counter(str(one.status) for one in sent)),
        "codes": dict(Counter(one.code for one in sent if one.code)),
        "limited_by": dict(Counter(one.limited_by for one in sent if one.limited_by)),
        "whole": sum(one.is_whole for one in sent),
        "cut": sum(one.was_cut for one in sent),
        "events": len(events),
        "outcomes": dict(Counter(event["outcome"] for event in events)),
        "corrections": sum(event["is_correction"] for event in events),
        "granted": sum(pool["granted"] for pool in pools if pool["holder"].startswith("user:")),
        "posted": sum(pool["posted"] for pool in pools if pool["holder"].startswith("user:")),
        "written_off": sum(event["written_off"] for event in events),
        "overspent": sum(max(0, pool["posted"] - pool["granted"]) for pool in pools),
        "lost_posts": lost_posts_count,
        "unbilled": {cause: sum_of(gaps, cause) for cause in ("web died", "web and ledger died", "other")},
        "unbilled_most": max((gap["tokens"] for gap in gaps), default=0),
        "unbilled_otherwise": [gap for gap in gaps if gap["cause"] == "other"],
        "unbilled_bound": UNBILLED_BOUND,
        "breaches": breaches,
    }


def sum_of(gaps: list[dict], cause: str) -> dict:
    tokens = [gap["tokens"] for gap in gaps if gap["cause"] == cause]
    return {"requests": len(tokens), "tokens": sum(tokens), "most": max(tokens, default=0)}


def by_request(events: list[dict]) -> dict[str, dict]:
    """An event and its correction together are what was billed."""
    billed: dict[str, dict] = {}
    for event in events:
        before = billed.get(event["request"])
        if before is None:
            billed[event["request"]] = dict(event)
        else:
            for member in ("prompt", "completion", "billed", "written_off"):
                before[member] += event[member]
    return billed


def lost_posts(sent: list[Sent], billed: dict[str, dict]) -> list[str]:
    """What a client received to its end was durable before; what it received of a stream that it left was produced."""
    breaches = []
    for one in sent:
        event = billed.get(one.request or "")
        if one.is_whole and event is None:
            breaches.append(f"{one.name} ({one.request}) was answered whole and has no usage event")
        elif one.is_whole and one.usage:
            used = one.usage["prompt_tokens"] + one.usage["completion_tokens"]
            if event["prompt"] + event["completion"] < used:
                breaches.append(f"{one.name} ({one.request}) used {used}, its event says {event}")
        elif event and event["outcome"] in ("cancelled", "failed") and event["completion"] < one.events:
            breaches.append(f"{one.name} ({one.request}) got {one.events} events, its event says {event}")
    return breaches


def wrong_sums(events: list[dict], pools: list[dict]) -> list[str]:
    breaches = [
        f"{event['request']}: billed and written off are not what was used: {event}"
        for event in events
        if event["billed"] + event["written_off"] != event["prompt"] + event["completion"]
    ]
    billed = Counter()
    for event in events:
        billed[f"user:{event['user']}"] += event["billed"]
    posted = {pool["holder"]: pool["posted"] for pool in pools if pool["name"] == "default"}
    breaches += [
        f"{holder} was billed {tokens}, its pool paid {posted.get(holder)}"
        for holder, tokens in billed.items()
        if tokens != posted.get(holder)
    ]
    return breaches


def minted(books: Books, budgets: dict[str, dict], seconds: float) -> list[str]:
    """No pool was ever given more than it had to begin with and what accrues in the time, whoever died."""
    breaches = []
    for pool in books.pools():
        budget = budgets[pool["holder"]]
        most = budget["starting"] + budget["refresh"] * seconds / 3600 + 1
        if pool["granted"] > most:
            breaches.append(f"pool {pool['holder']}/{pool['name']} was granted {pool['granted']} of {most:.0f}")
    return breaches


def unbilled(
    sent: list[Sent], keys: list[int], produced: dict[str, int], billed: dict[str, dict], away: Away
) -> list[dict]:
    """The requests of which the backend sent more than was billed or written off."""
    events = matched(sent, keys, billed)
    gaps = []
    for one in sent:
        event = events.get(one.name)
        missing = produced.get(one.name, 0) - (event["completion"] if event else 0)
        if missing > 0:
            bound = UNBILLED_BOUND + RATE * away.without_ledger(one)
            gap = {"name": one.name, "tokens": missing, "bound": bound, "cause": cause(one, away.deaths)}
            gaps.append(gap | {"sent": vars(one), "event": event})
    return gaps


def matched(sent: list[Sent], keys: list[int], billed: dict[str, dict]) -> dict[str, dict]:
    """The events of requests, by their names. A client that never saw a head does not know its request's id: such requests
    and the events of its key that nobody knows have the same order."""
    events = {one.name: billed[one.request] for one in sent if one.request in billed}
    known = {one.request for one in sent}
    for slot, key in enumerate(keys):
        strangers = sorted(
            (event for event in billed.values() if event["key"] == key and event["request"] not in known),
            key=lambda event: event["started"],
        )
        nameless = [one for one in sent if one.slot == slot and one.request is None]
        for event in strangers:
            before = [one for one in nameless if one.started_ms <= event["started"] + CLOCK_SLACK_MS]
            if before:
                nameless.remove(before[-1])
                events[before[-1].name] = event
    return events


def cause(one: Sent, deaths: list[tuple[float, str]]) -> str:
    end = one.ended_ms + (CLOCK_SLACK_MS if one.is_whole else BILLING_MS)
    of_web = [time for time, name in deaths if name == "web" and one.started_ms - CLOCK_SLACK_MS <= time <= end]
    if not of_web:
        return "other"
    of_ledger = [time for time, name in deaths if name == "ledger"]
    is_double = any(abs(one_death - other) <= DOUBLE_MS for one_death in of_web for other in of_ledger)
    return "web and ledger died" if is_double else "web died"
