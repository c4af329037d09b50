"""Budgets of groups that admins made: how they are set, and what they grant and refuse over `/v1`."""

import openai
import pytest
from playwright.sync_api import Browser

from browser import Visitor
from chats import ask
from lumen_site import Site
from machine import wait_for
from test_budget import cost_of
from test_pages import serious_findings
from wire import WireError

OUTPUT = 20
# For the prompt alone.
TOO_LITTLE = 10
ADMIN = {"user": 1, "email": "admin@example.edu", "address": "127.0.0.1"}
PHONE = {"width": 390, "height": 844}
GROUP_PAGE = "/admin/groups/lab"
MODEL = {"model": {"_0": "exact"}}


def test_a_group_spends_what_it_was_given_and_then_goes_by_the_file():
    with Site(models=("exact",)) as site:
        cost = cost_of(site, "x", OUTPUT)
        site.call("auth", "auth.create_group", {"name": "lab", "title": "The lab", "by": ADMIN})
        set_budget(site, MODEL, 3 * cost)
        set_budget(site, "shared", 5 * cost)
        first, second = (member(site, f"{name}@example.edu") for name in ("first", "second"))

        assert [run(site, first) for _ in range(4)] == [None, None, None, "user"]
        assert site.pool(first, "exact")["balance"] == 0
        assert [run(site, second) for _ in range(3)] == [None, None, "group"]
        assert site.pool(second, "exact")["balance"] == cost
        assert listed(site)["shared"]["balance"] == 0
        # Others have nothing of it and lose nothing by it.
        outsider = site.create_key("outsider@example.edu")
        assert run(site, outsider) is None

        # Lower: at once. Higher: with nothing added.
        set_budget(site, "shared", None)
        set_budget(site, MODEL, TOO_LITTLE)
        assert run(site, second) == "user"
        set_budget(site, MODEL, 3 * cost)
        assert run(site, second) == "user"
        assert site.pool(second, "exact")["balance"] == TOO_LITTLE

        taken_over_by_the_file(site, second, cost)
        assert site.call("ledger", "ledger.verify", {})["faults"] == []


def taken_over_by_the_file(site: Site, key: str, cost: int) -> None:
    """Its word is all that counts from then on, and members by hand stay."""
    site.change_configuration({"groups": {"lab": {"exact": {"max": 2 * cost}}}})
    wait_for("the file's budgets", lambda: listed(site)["isLocked"])
    assert listed(site)["budgets"] == [{"pool": "exact", "budget": budget(2 * cost)}]
    with pytest.raises(WireError, match="refused"):
        set_budget(site, "shared", cost)
    wait_for("auth to follow", lambda: origin(site) == "file")
    assert "lab" in site.account(key)["groups"]
    assert run(site, key) == "user"
    third = member(site, "third@example.edu")
    assert [run(site, third) for _ in range(3)] == [None, None, "user"]

def test_admin_gives_a_group_its_budgets_without_script(browser):
    with Site({"admins": ["dev@example.com"]}, models=("exact",)) as site:
        admin = Visitor(browser, site, java_script_enabled=False)
        admin.log_in()
        site.call("auth", "auth.create_group", {"name": "lab", "title": "The lab", "by": ADMIN})
        fill_in(admin, "exact", "5 000")
        fill_in(admin, "*", "a few")
        admin.page.get_by_text("A whole number from 0 to").wait_for()
        fill_in(admin, "*", "70")
        admin.page.get_by_text("The budget is set.").wait_for()
        assert listed(site)["budgets"] == [{"pool": "exact", "budget": budget(5000)}]
        assert listed(site)["sharedBudget"] == budget(70)
        # The bounds of its prompt and its output together.
        key = member(site, "member@example.edu")
        assert run(site, key) is None
        assert run(site, key) == "group"
        admin.page.get_by_role("button", name="Remove the budget for All members together").click()
        admin.page.get_by_text("The budget is removed").wait_for()
        assert "sharedBudget" not in listed(site)
        assert run(site, key) is None
        admin.check()
        admin.close()
        assert_accessible(browser, site)
        log = site.call("auth", "auth.read_audit", {"search": "group lab", "limit": 10})
        assert [entry["action"]["name"] for entry in log if entry["action"]["name"].endswith("_budget")] == [
            "group.remove_budget", "group.set_budget", "group.set_budget"
        ]


def assert_accessible(browser: Browser, site: Site) -> None:
    admin = Visitor(browser, site, viewport=PHONE)
    admin.log_in()
    assert serious_findings(admin, GROUP_PAGE) == set()
    assert admin.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    admin.check()
    admin.close()


def fill_in(admin: Visitor, pool: str, most: str) -> None:
    admin.page.goto(GROUP_PAGE)
    admin.page.get_by_label("For", exact=True).select_option(pool)
    admin.page.get_by_label("Most tokens").fill(most)
    admin.page.get_by_role("button", name="Set the budget").click()


def set_budget(site: Site, entry: str | dict, tokens: int | None) -> None:
    params = {"group": "lab", "entry": {entry: {}} if isinstance(entry, str) else entry}
    if tokens is not None:
        params["budget"] = budget(tokens)
    site.call("ledger", "ledger.set_group_budget", params)


def budget(tokens: int) -> dict:
    return {"max": {"tokens": {"_0": tokens}}, "refresh": 0, "starting": tokens}


def member(site: Site, email: str) -> str:
    """A key of somebody who was put into the group by hand, and has asked for nothing yet."""
    key = site.create_key(email)
    put = {"group": "lab", "user": site.account(key)["user"], "isMember": True, "by": ADMIN}
    site.call("auth", "auth.set_member", put)
    return key


def run(site: Site, key: str) -> str | None:
    """Whose budget refused; None when it ran."""
    with site.client(key) as client:
        try:
            ask(client, "exact", "x", max_tokens=OUTPUT)
            return None
        except openai.RateLimitError as error:
            assert error.code == "insufficient_quota"
            return error.response.headers["x-lumen-limited-by"]


def listed(site: Site) -> dict:
    return next(group for group in site.call("ledger", "ledger.group_budgets", {}) if group["group"] == "lab")


def origin(site: Site) -> str:
    return next(group["origin"] for group in site.call("auth", "auth.list_groups", {}) if group["name"] == "lab")
