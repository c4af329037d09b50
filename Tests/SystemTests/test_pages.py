"""Every page: accessible in light and dark, on a phone too; and what logging in and out and keys do."""

import re

import openai
import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import Visitor
from chats import ask
from machine import wait_for

PAGES = ("/", "/chat", "/keys", "/usage", "/models", "/no/such/page")
SERIOUS = {"serious", "critical"}


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
    for page in (*PAGES, conversation):
        findings |= serious_findings(visitor, page)
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{page} is {width} pixels wide"
    visitor.close()
    assert findings == set()


def serious_findings(visitor: Visitor, page: str) -> set[str]:
    visitor.page.goto(page)
    visitor.page.wait_for_load_state("networkidle")
    found = Axe().run(visitor.page).response["violations"]
    return {
        f"{page}: {violation['id']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    }


def test_login_and_logout(browser, site):
    visitor = Visitor(browser, site)
    for page in ("/chat", "/keys", "/usage", "/models"):
        reply = visitor.context.request.get(page, max_redirects=0)
        assert reply.status == 303, page
        assert reply.headers["location"].startswith("/login"), page
    visitor.log_in()
    assert "dev@example.com" in visitor.page.content()
    (cookie,) = visitor.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("lumen", True, "Lax")
    visitor.page.get_by_role("button", name="Log out").click()
    visitor.page.get_by_role("link", name="Login").wait_for()
    visitor.check()
    # The session is over at the server, too, not only forgotten by the browser.
    visitor.context.add_cookies([cookie])
    assert visitor.context.request.get("/chat", max_redirects=0).status == 303
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


def is_refused(client: openai.OpenAI) -> bool:
    try:
        ask(client)
        return False
    except openai.AuthenticationError:
        return True


def test_usage_page_shows_the_request(visitor):
    visitor.open_chat("dummy")
    visitor.send("Count me")
    visitor.wait_for_end()
    visitor.page.goto("/usage")
    row = visitor.page.locator("tbody tr").first
    assert "dummy" in row.inner_text()
    assert "chat" in row.inner_text().lower()


def test_pages_allow_nothing_from_elsewhere(visitor):
    for page in PAGES:
        policy = visitor.context.request.get(page).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
