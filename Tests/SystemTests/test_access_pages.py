"""What people and admins change about access on the pages, all of it without script, and what follows from it."""

import re
import time
from datetime import UTC, datetime, timedelta

import openai
import pytest

from browser import Visitor
from chats import ask, content_events
from machine import wait_for
from people import ADMIN, People, now_ms

WITHOUT_SCRIPT = {"java_script_enabled": False}


@pytest.fixture(scope="module")
def people():
    with People({"groups": {"physics": {"default": {"max": 7, "refresh": 0}}}}, models=("dummy", "gap-50")) as people:
        yield people


@pytest.fixture(scope="module")
def site(people):
    return people.site


@pytest.fixture
def admin(people, browser):
    admin = people.browse(browser, ADMIN, **WITHOUT_SCRIPT)
    yield admin
    admin.check()
    admin.close()


# Keys


def test_key_of_some_models_and_days(people, browser, site):
    visitor = people.browse(browser, "keys@example.edu", **WITHOUT_SCRIPT)
    page = visitor.page
    page.goto("/keys")
    page.get_by_label("Name of a new key").fill("Only dummy")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    page.get_by_label("Last day").fill(tomorrow.isoformat())
    page.get_by_role("checkbox", name="dummy").check()
    page.get_by_role("button", name="Create").click()
    key = new_key(visitor)
    row = page.get_by_role("row").filter(has_text="Only dummy").inner_text()
    assert key[:11] in row and key[-2:] in row
    assert (tomorrow + timedelta(days=1)).isoformat() in row
    with site.client(key) as client:
        ask(client)
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(client, "gap-50")
        assert refused.value.code == "model_not_allowed"
        assert [model.id for model in client.models.list()] == ["dummy"]
    page.goto("/keys")
    assert key not in page.content()
    visitor.check()
    visitor.close()


def new_key(visitor: Visitor) -> str:
    key = re.search(r"sk-lumen-\w{43}", visitor.page.locator("#secret").inner_text()).group()
    visitor.site.secrets.add(key)
    return key


def test_key_that_expires_is_refused_and_marked(people, browser, site):
    visitor = people.browse(browser, "late@example.edu", **WITHOUT_SCRIPT)
    user = user_id(site, "late@example.edu")
    made = site.call(
        "auth", "auth.create_key", {"owner": {"user": {"_0": user}}, "name": "Short", "expires": now_ms() + 4_000}
    )
    site.secrets.add(made["secret"])
    with site.client(made["secret"]) as client:
        ask(client)
        wait_for("the key's end", lambda: refusal(client) == 401, 15)
    visitor.page.goto("/keys")
    assert "Expired" in visitor.page.get_by_role("row").filter(has_text="Short").inner_text()
    visitor.close()


def refusal(client: openai.OpenAI) -> int | None:
    try:
        ask(client)
        return None
    except openai.APIStatusError as error:
        return error.status_code


def user_id(site, email: str) -> int:
    found = site.call(
        "auth",
        "auth.find_users",
        {"search": email, "sort": "email", "isDescending": False, "offset": 0, "limit": 1},
    )
    return found["users"][0]["person"]["id"]


# Sessions


def test_sessions_in_two_browsers(people, browser):
    here = people.browse(browser, "two@example.edu", **WITHOUT_SCRIPT)
    there = people.browse(browser, "two@example.edu")
    third = people.log_in("two@example.edu")
    here.page.goto("/usage")
    here.page.get_by_role("link", name="two").click()
    rows = here.page.get_by_role("region", name="Your sessions").locator("tbody tr")
    assert rows.count() == 3
    assert rows.filter(has_text="this one").count() == 1
    assert rows.filter(has_text="10.0.").count() == 3, rows.all_inner_texts()
    there.page.goto("/keys")
    # One of the others, then all that are left.
    here.page.get_by_role("button", name="End the session").first.click()
    here.page.get_by_text("That session is ended.").wait_for()
    assert rows.count() == 2
    here.page.get_by_role("button", name="Log out of all others").click()
    here.page.get_by_text("All other sessions are ended.").wait_for()
    assert rows.count() == 1
    assert there.context.request.get("/keys", max_redirects=0).status == 303
    assert third.get(f"{here.site.url}/usage", allow_redirects=False).status_code == 303
    assert here.context.request.get("/keys", max_redirects=0).status == 200
    here.check()
    here.close()
    there.close()


def test_tab_that_was_open_during_a_new_login_goes_on(people, browser):
    """No token under an open tab expires: what counts is where a request comes from."""
    visitor = people.browse(browser, "tabs@example.edu")
    visitor.page.goto("/keys")
    visitor.page.get_by_label("Name of a new key").fill("From the old tab")
    visitor.context.request.post("/logout", headers={"Origin": people.site.url})
    fresh = people.log_in("tabs@example.edu")
    visitor.context.add_cookies(
        [{"name": cookie.name, "value": cookie.value, "url": people.site.url} for cookie in fresh.cookies]
    )
    visitor.page.get_by_role("button", name="Create").click()
    new_key(visitor)
    visitor.check()
    visitor.close()


# Users


def test_disabled_user_loses_what_runs(people, site, admin):
    session = people.log_in("leaver@example.edu")
    key = site.create_key("leaver@example.edu")
    with site.client(key, timeout=30) as client:
        stream = client.chat.completions.create(
            model="gap-50", messages=[{"role": "user", "content": "word " * 2_000}], stream=True
        )
        events = content_events(stream)
        next(events)
        find_user(admin, "leaver")
        admin.page.get_by_role("button", name="Disable").click()
        admin.page.get_by_text("The user is disabled").wait_for()
        disabled = time.monotonic()
        # The answer would take 100 s more.
        with pytest.raises(openai.APIError):
            for _ in events:
                assert time.monotonic() < disabled + 30
        assert refusal(client) == 403
        assert session.get(f"{site.url}/usage", allow_redirects=False).status_code == 303
        admin.page.get_by_role("button", name="Enable").click()
        admin.page.get_by_text("enabled again").wait_for()
        wait_for("the key to work again", lambda: refusal(client) is None)
    assert session.get(f"{site.url}/usage", allow_redirects=False).status_code == 303, "a session stays ended"


def find_user(admin: Visitor, part: str) -> None:
    admin.page.goto("/admin/users")
    admin.page.get_by_role("searchbox").fill(part.upper())
    admin.page.get_by_role("button", name="Search").click()
    admin.page.get_by_role("rowheader").get_by_role("link").click()
    admin.page.get_by_role("heading", name=f"{part}@example.edu").wait_for()


def test_users_are_created_sorted_and_their_keys_revoked(people, site, admin):
    page = admin.page
    for name in ("zoe", "abe"):
        page.goto("/admin/users")
        page.get_by_label("E-mail address", exact=True).fill(f"{name}@sorted.edu")
        page.get_by_role("button", name="Create").click()
        page.get_by_text("The user is made.").wait_for()
    page.goto("/admin/users?search=sorted.edu")
    links = page.get_by_role("rowheader").get_by_role("link")
    assert links.all_inner_texts() == ["abe@sorted.edu", "zoe@sorted.edu"]
    page.get_by_role("columnheader", name="E-mail address").get_by_role("link").click()
    assert links.all_inner_texts() == ["zoe@sorted.edu", "abe@sorted.edu"]
    assert "1–2 of 2" in page.content()
    page.goto("/admin/users?search=sorted.edu")
    page.get_by_label("E-mail address", exact=True).fill("ABE@sorted.edu")
    page.get_by_role("button", name="Create").click()
    assert page.get_by_label("E-mail address", exact=True).get_attribute("aria-invalid") == "true"
    key = site.create_key("zoe@sorted.edu", name="Theirs")
    page.goto(f"/admin/users/{user_id(site, 'zoe@sorted.edu')}")
    page.get_by_role("button", name="Revoke Theirs").click()
    page.get_by_text("The key is revoked.").wait_for()
    with site.client(key) as client:
        wait_for("the revocation", lambda: refusal(client) == 401)


# Groups


def test_groups_by_hand(people, site, admin):
    people.log_in("member@example.edu")
    user = user_id(site, "member@example.edu")
    page = admin.page
    page.goto("/admin/groups")
    page.get_by_label("Name", exact=True).fill("chem.2")
    page.get_by_label("Title").fill("Chemistry")
    page.get_by_role("button", name="Create the group").click()
    page.get_by_text("The group is made.").wait_for()
    page.get_by_label("E-mail address of a new member").fill("nobody@example.edu")
    page.get_by_role("button", name="Add").click()
    page.get_by_text("There is no user with this address").wait_for()
    page.get_by_label("E-mail address of a new member").fill("Member@Example.edu")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("rowheader", name="member@example.edu").wait_for()
    assert groups_of(site, user) == {"default", "chem.2"}
    page.get_by_label("Title").fill("Chemistry & more")
    page.get_by_role("button", name="Change the title").click()
    page.get_by_role("heading", name="Chemistry & more").wait_for()
    page.get_by_role("button", name="Disable the group").click()
    page.get_by_text("it gives nothing to anyone").first.wait_for()
    assert groups_of(site, user) == {"default"}
    page.get_by_role("button", name="Enable the group").click()
    page.get_by_role("button", name="Remove member@example.edu").click()
    page.get_by_text("no longer a member by hand").wait_for()
    assert groups_of(site, user) == {"default"}
    page.goto("/admin/groups/physics")
    page.get_by_text("comes from the configuration file").wait_for()
    assert page.get_by_role("button", name="Disable the group").count() == 0
    page.goto(f"/admin/users/{user}")
    page.get_by_label("Add to a group").select_option("physics")
    page.get_by_role("button", name="Add").click()
    assert "by hand" in page.get_by_role("row").filter(has_text="physics").inner_text()
    assert groups_of(site, user) == {"default", "physics"}
    page.get_by_role("button", name="Remove from physics").click()
    assert groups_of(site, user) == {"default"}


def groups_of(site, user: int) -> set[str]:
    return set(site.call("auth", "auth.get_user", {"user": user})["person"]["groups"])


# The audit log


def test_audit_log_tells_it_all_in_order(people, site, admin):
    people.log_in("subject@example.edu")
    user = user_id(site, "subject@example.edu")
    page = admin.page
    for button in ("Disable", "Enable", "Unlink"):
        page.goto(f"/admin/users/{user}")
        page.get_by_role("button", name=button).click()
    page.get_by_label("Most tokens").fill("500")
    page.get_by_role("button", name="Set the budget").click()
    page.get_by_text("The budget is set.").wait_for()
    page.get_by_label("Most tokens").fill("900")
    page.get_by_role("button", name="Set the budget").click()
    page.get_by_role("button", name="Remove the budget").click()
    page.get_by_text("The budget is removed.").wait_for()
    page.goto("/admin/audit")
    page.get_by_role("searchbox").fill("SUBJECT@")
    page.get_by_role("button", name="Search").click()
    rows = page.get_by_role("region", name="Audit log").locator("tbody tr")
    cells = [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in rows.all()]
    assert [row[3] for row in cells] == [
        "user.remove_budget",
        "user.set_budget",
        "user.set_budget",
        "user.unlink",
        "user.enable",
        "user.disable",
    ]
    numbers = [int(row[0]) for row in cells]
    assert numbers == list(range(numbers[0], numbers[0] - 6, -1))
    assert {tuple(row[2].split()) for row in cells} == {(ADMIN, "127.0.0.1")}
    assert "max 500, refresh 0, starting 500" in cells[1][5] and "max 900" in cells[1][5]
    assert "subject-of-subject@example.edu" in cells[3][5]
    file = admin.context.request.get("/admin/audit.csv?search=subject@")
    assert [line.split(",")[5] for line in file.text().splitlines()[1:]] == [row[3] for row in cells]
