"""Every page: accessible in light and dark, on a phone too; and what logging in and out and keys do."""

import csv
import io
import re
import time

import openai
import pytest

from accessibility import findings_here
from browser import Visitor
from chats import ask
from lumen_config import PLENTY
from machine import wait_for

# Written as people write addresses; the list is compared without regard to case.
SITE = {"changes": {"admins": ["Dev@Example.com"], "groups": {"default": {"shared": PLENTY}}}}
FORM = "application/x-www-form-urlencoded"
PAGES = ("/", "/chat", "/keys", "/sessions", "/usage", "/usage?month=all", "/models", "/no/such/page")
ADMIN_PAGES = (
    "/admin",
    "/admin/users",
    "/admin/users?search=nobody-has-this",
    "/admin/users?search=&sort=last_login&order=down",
    "/admin/groups",
    "/admin/groups/default",
    "/admin/groups/default/reset",
    "/admin/audit",
    "/admin/audit?search=nobody-has-this",
    "/admin/usage",
    "/admin/usage?month=all",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["desk", "phone"])
def test_pages_are_accessible(browser, site, scheme, size):
    visitor = Visitor(browser, site, color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
    findings = serious_findings(visitor, "/")
    visitor.log_in()
    visitor.open_chat("dummy")
    visitor.send("Something to look at: `code` and **bold**")
    visitor.wait_for_end()
    conversation = visitor.page.url.removeprefix(site.url)
    user = path_of_user(visitor)
    group = path_of_group(visitor)
    for page in (*PAGES, conversation, *ADMIN_PAGES, user, f"{user}/reset?pool=default", group):
        findings |= serious_findings(visitor, page)
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{page} is {width} pixels wide"
        assert covered_cells(visitor) == [], f"{page} has cells that others cover"
    findings |= findings_of_a_refused_budget(visitor, user) | findings_of_a_refused_member(visitor, group)
    visitor.close()
    assert findings == set()


def covered_cells(visitor: Visitor) -> list[str]:
    """Texts of those cells in tables that the next one stands over."""
    return visitor.page.evaluate(
        """() => [...document.querySelectorAll(".scroll td, .scroll th")].filter((cell) => {
          const next = cell.nextElementSibling;
          return next && next.getBoundingClientRect().left < cell.getBoundingClientRect().right - 1;
        }).map((cell) => cell.textContent)"""
    )


def path_of_user(visitor: Visitor) -> str:
    """An admin's page about the visitor."""
    visitor.page.goto("/admin/users?search=DEV@")
    return visitor.page.get_by_role("link", name="dev@example.com").get_attribute("href")


def path_of_group(visitor: Visitor) -> str:
    """A group of the panel with a long name and one member."""
    number = len(visitor.site.call("auth", "auth.list_groups", {}))
    visitor.page.goto("/admin/groups")
    visitor.page.get_by_label("Name", exact=True).fill(f"{number}-{'long.name.' * 9}")
    visitor.page.get_by_role("button", name="Create the group").click()
    visitor.page.get_by_label("E-mail address of a new member").fill("dev@example.com")
    visitor.page.get_by_role("button", name="Add").click()
    visitor.page.get_by_text("They are a member now.").wait_for()
    return visitor.page.url.removeprefix(visitor.site.url).split("?")[0]


def findings_of_a_refused_member(visitor: Visitor, group: str) -> set[str]:
    visitor.page.goto(group)
    visitor.page.get_by_label("E-mail address of a new member").fill("nobody@example.com")
    visitor.page.get_by_role("button", name="Add").click()
    visitor.page.get_by_text("There is no user with this address").wait_for()
    return findings_here(visitor, "add a member")


def findings_of_a_refused_budget(visitor: Visitor, user: str) -> set[str]:
    visitor.page.goto(user)
    visitor.page.get_by_label("Most tokens").fill("a few")
    visitor.page.get_by_role("button", name="Set the budget").click()
    visitor.page.get_by_role("alert").wait_for()
    assert visitor.page.get_by_label("Most tokens").get_attribute("aria-invalid") == "true"
    return findings_here(visitor, "set a budget")


def serious_findings(visitor: Visitor, page: str) -> set[str]:
    visitor.page.goto(page)
    return findings_here(visitor, page)


def test_login_and_logout(browser, site):
    visitor = Visitor(browser, site)
    reply = visitor.context.request.get("/keys", max_redirects=0)
    assert (reply.status, reply.headers["location"]) == (303, "/login?next=/keys")
    visitor.log_in()
    assert "dev@example.com" in visitor.page.content()
    (cookie,) = visitor.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("lumen", True, "Lax")
    visitor.log_out()
    visitor.check()
    # The session is over at the server, too, not only forgotten by the browser.
    visitor.context.add_cookies([cookie])
    assert visitor.context.request.get("/chat", max_redirects=0).status == 303
    visitor.close()


def test_an_answer_that_comes_during_logout_does_not_log_in_again(browser, site):
    visitor = Visitor(browser, site)
    visitor.log_in()
    held = []
    visitor.page.route("**/chat/api/account", lambda route: held.append(route))
    visitor.page.goto("/chat", wait_until="commit")
    wait_for("the page to ask for its account", lambda: visitor.page.evaluate("true") and held)

    def answer_first(route):
        held.pop().fulfill(status=401, json={"problem": "signed out"})
        time.sleep(0.3)
        route.continue_()

    visitor.page.route("**/logout", answer_first)
    visitor.page.get_by_role("button", name="Log out").click()
    visitor.page.get_by_role("link", name="Login").wait_for()
    visitor.close()


def test_post_from_another_site_is_refused(visitor):
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in visitor.context.cookies())
    for headers in ({"Origin": "http://evil.example"}, {}, {"Sec-Fetch-Site": "cross-site"}):
        reply = visitor.context.request.post(
            "/keys", form={"name": "stolen"}, headers={"Cookie": cookies, **headers}, max_redirects=0
        )
        assert reply.status == 403, headers


def test_key_from_the_page_works_until_it_is_revoked(visitor, site):
    visitor.page.goto("/keys")
    visitor.page.get_by_label("Name of a new key").fill("From the page")
    visitor.page.get_by_role("button", name="Create").click()
    key = re.search(r"sk-lumen-\w{43}", visitor.page.locator("#secret").inner_text()).group()
    site.secrets.add(key)
    # Asks for the page again, and does not send the form again.
    visitor.page.reload()
    assert visitor.page.get_by_role("button", name="Revoke").count() == 1
    assert key not in visitor.page.content()
    with site.client(key) as client:
        ask(client)
        visitor.page.once("dialog", lambda dialog: dialog.accept())
        visitor.page.get_by_role("button", name="Revoke From the page").click()
        wait_for("the revocation", lambda: is_refused(client), 1)


def test_a_form_that_is_sent_again_without_script_makes_one_key(browser, site):
    visitor = Visitor(browser, site, java_script_enabled=False)
    visitor.log_in()
    visitor.page.goto("/keys")
    before = visitor.page.get_by_role("button", name="Revoke").count()
    visitor.page.get_by_label("Name of a new key").fill("Loaded again")
    with visitor.page.expect_request("**/keys") as sent:
        visitor.page.get_by_role("button", name="Create").click()
    key = visitor.page.locator("#secret").inner_text()
    site.secrets.add(key)
    # As a reload does, once the browser has been told that it may.
    again = visitor.context.request.post(
        "/keys", data=sent.value.post_data, headers={"Origin": site.url, "Content-Type": FORM}
    )
    assert key in again.text()
    visitor.page.goto("/keys")
    assert visitor.page.get_by_role("button", name="Revoke").count() == before + 1
    assert key not in visitor.page.content()
    visitor.page.get_by_role("button", name="Revoke Loaded again").click()
    visitor.check()
    visitor.close()


def is_refused(client: openai.OpenAI) -> bool:
    try:
        ask(client)
        return False
    except openai.AuthenticationError:
        return True


def test_usage_page_shows_the_request(visitor):
    say(visitor, "Count me")
    visitor.page.goto("/usage")
    row = visitor.page.get_by_role("region", name="Recent requests").locator("tbody tr").first
    assert "dummy" in row.inner_text()
    assert "chat" in row.inner_text().lower()
    by_model = visitor.page.get_by_role("region", name="By model")
    assert by_model.get_by_role("rowheader", name="dummy").count() == 1
    by_key = visitor.page.get_by_role("region", name="By API key")
    assert by_key.get_by_role("rowheader", name="None: the chat of this site").count() == 1


def say(visitor: Visitor, text: str) -> None:
    visitor.open_chat("dummy")
    visitor.send(text)
    visitor.wait_for_end()


def test_usage_as_files(visitor):
    say(visitor, "Count me in a file")
    sums = rows_of(visitor, "/usage.csv")
    total = next(row for row in sums if row["by"] == "total")
    days = [row for row in sums if row["by"] == "day"]
    assert int(total["requests"]) == sum(int(row["requests"]) for row in days) >= 1
    assert total["cost_usd"] == "0.000000000"
    requests = rows_of(visitor, "/usage/events.csv")
    assert len(requests) >= int(total["requests"])
    assert requests[0]["model"] == "dummy"
    assert int(requests[0]["billed_tokens"]) > 0
    for by in ("user", "group", "model", "day", "source"):
        everyone = rows_of(visitor, f"/admin/usage.csv?month=all&by={by}")
        assert sum(int(row["requests"]) for row in everyone) >= int(total["requests"]), by
    assert "dev@example.com" in {row["email"] for row in rows_of(visitor, "/admin/usage.csv?month=all&by=user")}


def rows_of(visitor: Visitor, path: str) -> list[dict]:
    reply = visitor.context.request.get(path)
    assert reply.status == 200, path
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["content-disposition"].startswith("attachment; ")
    return list(csv.DictReader(io.StringIO(reply.text(), newline="")))


def test_admin_gives_a_budget_and_resets_the_pool_without_script(browser, site, visitor):
    admin = Visitor(browser, site, java_script_enabled=False)
    admin.log_in()
    user = path_of_user(admin)
    admin.page.goto(user)
    admin.page.get_by_label("For", exact=True).select_option("dummy")
    admin.page.get_by_label("Most tokens").fill("50 000")
    admin.page.get_by_role("button", name="Set the budget").click()
    admin.page.get_by_text("The budget is set.").wait_for()
    say(visitor, "This costs tokens of the new pool")
    assert pool_of_dummy(visitor) < 50_000
    admin.page.goto(user)
    admin.page.get_by_role("link", name="Reset dummy").click()
    admin.page.get_by_role("button", name="Reset").click()
    admin.page.get_by_text("The pool is reset.").wait_for()
    assert pool_of_dummy(visitor) == 50_000
    admin.page.get_by_role("button", name="Remove the budget for dummy").click()
    admin.page.get_by_text("The groups’ budgets hold again.").wait_for()
    visitor.page.goto("/usage")
    assert visitor.page.get_by_role("heading", name="dummy").count() == 0
    admin.check()
    admin.close()
    changes = [line for line in site.log_lines() if "admin_id" in line and "call" in line]
    assert [line["call"] for line in changes] == ["ledger.set_override", "ledger.reset", "ledger.set_override"]


def pool_of_dummy(visitor: Visitor) -> int:
    visitor.page.goto("/usage")
    card = visitor.page.locator(".card").filter(has=visitor.page.get_by_role("heading", name="dummy"))
    return int(re.sub(r"\s", "", card.locator(".amount").inner_text().split(" of ")[0]))


def test_the_list_of_admins_is_live(visitor, site):
    def status() -> int:
        return visitor.context.request.get("/admin").status

    assert status() == 200
    site.change_configuration({"admins": ["someone@else.edu"]})
    try:
        wait_for("the end of the admin's rights", lambda: status() == 403, 5)
        visitor.page.goto("/usage")
        assert visitor.page.get_by_role("link", name="Admin").count() == 0
    finally:
        site.change_configuration({"admins": ["dev@example.com"]})
    wait_for("the admin's rights", lambda: status() == 200, 5)


def test_pages_allow_nothing_from_elsewhere(visitor):
    for page in (*PAGES, *ADMIN_PAGES):
        policy = visitor.context.request.get(page).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
