"""Chatting in a browser."""

import os
import signal
import time

from chats import CANARY
from machine import wait_for

SITE = {"models": ("dummy", "tokens-60-at-20", "tokens-400-at-20", "reasoning", "error-500")}


def test_answer_streams_and_shows_its_formulas(visitor):
    visitor.open_chat("dummy")
    visitor.send(f"{CANARY}: hello")
    visitor.wait_for_text(f"{CANARY}: hello")
    visitor.wait_for_end()
    assert visitor.answer.locator(".katex").count() == 2
    assert visitor.answer.locator(".katex-display").count() == 1
    # Laid out by KaTeX's own fonts and styles, not only marked up.
    assert visitor.answer.locator(".katex-display .mop").first.bounding_box()["height"] > 20
    assert "Tokens: " in visitor.answer.inner_text()
    # The messages scroll; the page does not, whatever is hidden in a formula.
    visitor.page.set_viewport_size({"width": 360, "height": 420})
    size = visitor.page.evaluate("(({ scrollWidth, scrollHeight }) => [scrollWidth, scrollHeight])(document.documentElement)")
    assert size == [360, 420]


def test_code_is_coloured(visitor):
    visitor.open_chat("dummy")
    # Quoted by the answer, and so not at the beginning of a line.
    visitor.send("```python\nreturn 1\n```")
    visitor.wait_for_end()
    visitor.answer.locator(".token.keyword").wait_for()


def test_stopping_by_keyboard_keeps_the_focus(visitor):
    visitor.open_chat("tokens-400-at-20")
    visitor.send("Never mind")
    wait_for("some text", lambda: len(visitor.answer_text()) > 20)
    visitor.page.get_by_role("textbox", name="Message").focus()
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    visitor.wait_for_end()
    assert visitor.page.evaluate("document.activeElement.id") == "message"


def test_text_grows_while_the_answer_comes(visitor):
    visitor.open_chat("tokens-60-at-20")
    visitor.send("Take your time")
    lengths = set()
    while visitor.answer.count() == 0 or visitor.answer.get_attribute("aria-busy"):
        lengths.add(len(visitor.answer_text()))
        time.sleep(0.05)
    assert len(lengths) > 10


def test_stop_ends_the_answer_at_the_backend_within_100_ms(visitor, site):
    """Three attempts, because other processes of the machine may be in the way of one."""
    delays = []
    while len(delays) < 3 and min(delays, default=1) > 0.1:
        before = site.observed()["requests"]
        visitor.open_chat("tokens-400-at-20")
        visitor.send("Never mind")
        wait_for("some text", lambda: len(visitor.answer_text()) > 20)
        with visitor.page.expect_request_finished(lambda request: request.url.endswith("/stop")) as stop:
            visitor.stop()
        request = wait_for("the backend to see its connection closed", lambda: left_request(site, before))
        delays.append((request["left_ms"] - stop.value.timing["startTime"]) / 1000)
    assert min(delays) <= 0.1, delays


def left_request(site, before: int) -> dict | None:
    """The request after so many others, once its client has left."""
    return next((r for r in site.observed()["latest"] if r["number"] > before and "left_ms" in r), None)


def test_stopped_answer_is_there_after_a_reload(visitor):
    visitor.open_chat("tokens-400-at-20")
    visitor.send("Never mind")
    wait_for("some text", lambda: len(visitor.answer_text()) > 20)
    visitor.stop()
    visitor.wait_for_end()
    assert "Stopped." in visitor.answer.inner_text()
    visitor.settle()
    shown = visitor.answer_text()
    visitor.page.reload()
    visitor.wait_for_end()
    visitor.settle()
    assert visitor.answer_text() == shown


def test_reload_in_mid_answer_shows_the_rest_and_cancels_nothing(visitor, site):
    before = site.observed()["requests"]
    visitor.open_chat("tokens-60-at-20")
    visitor.send("Go on without me")
    wait_for("some text", lambda: len(visitor.answer_text()) > 20)
    visitor.page.reload()
    visitor.wait_for_end()
    (request,) = [r for r in site.observed()["latest"] if r["number"] > before]
    assert "left_ms" not in request
    assert request["tokens"] == 60
    assert "60 out" in visitor.answer.inner_text()
    # Nothing is missing, and nothing is there twice.
    shown = visitor.answer_text()
    visitor.page.reload()
    visitor.wait_for_end()
    visitor.settle()
    assert visitor.answer_text() == shown


def test_stream_belongs_to_its_conversation(visitor):
    visitor.open_chat("tokens-60-at-20")
    visitor.send("First conversation")
    wait_for("some text", lambda: len(visitor.answer_text()) > 20)
    visitor.page.get_by_role("link", name="New chat").click()
    visitor.page.get_by_label("Model").select_option("dummy")
    visitor.send("Second conversation")
    visitor.wait_for_text("Second conversation")
    visitor.wait_for_end()
    time.sleep(1)
    assert "First conversation" not in visitor.page.locator("#messages").inner_text()
    visitor.page.locator("#conversation-list").get_by_role("link", name="First conversation").first.click()
    visitor.wait_for_text("First conversation")
    visitor.wait_for_end()
    assert "60 out" in visitor.answer.inner_text()


def test_enter_sends_once(visitor, site):
    visitor.open_chat("dummy")
    before = site.observed()["requests"]
    box = visitor.page.get_by_role("textbox", name="Message")
    box.fill("Only once")
    box.press("Enter")
    box.press("Enter")
    visitor.wait_for_end()
    assert site.observed()["requests"] == before + 1


def test_conversation_is_listed_renamed_found_and_deleted(visitor):
    visitor.open_chat("dummy")
    visitor.send("To be deleted")
    visitor.wait_for_end()
    conversations = visitor.page.locator("#conversation-list")
    address = visitor.page.url

    # The buttons appear beside the one that is pointed at.
    conversations.get_by_role("link", name="To be deleted").hover()
    conversations.get_by_role("button", name="Rename “To be deleted”").click()
    visitor.page.get_by_label("Title").fill("Renamed")
    visitor.page.keyboard.press("Enter")
    conversations.get_by_role("link", name="Renamed").wait_for()
    assert visitor.page.title().startswith("Renamed")

    visitor.page.get_by_label("Search conversations").fill("renam")
    wait_for("the search", lambda: conversations.get_by_role("link").count() == 1)
    visitor.page.get_by_label("Search conversations").fill("")

    conversations.get_by_role("link", name="Renamed").hover()
    conversations.get_by_role("button", name="Delete “Renamed”").click()
    visitor.page.get_by_role("button", name="Delete", exact=True).click()
    conversations.get_by_role("link", name="Renamed").wait_for(state="detached")
    visitor.page.goto(address)
    visitor.page.get_by_text("Renamed").wait_for(state="detached")
    assert visitor.page.locator("article.question").count() == 0
    # The page was asked for something that is gone, and the browser says so.
    visitor.offences.clear()


def test_reasoning_is_folded(visitor):
    visitor.open_chat("reasoning")
    visitor.send("Think")
    visitor.wait_for_end()
    reasoning = visitor.answer.locator("details.reasoning")
    assert reasoning.get_attribute("open") is None
    reasoning.locator("summary").click()
    assert "quoted" in reasoning.inner_text()


def test_failed_answer_says_so_and_stays(visitor):
    visitor.open_chat("error-500")
    visitor.send("Please fail")
    visitor.wait_for_end()
    failed = visitor.answer.locator(".notice.bad").inner_text()
    visitor.page.reload()
    visitor.wait_for_end()
    assert visitor.answer.locator(".notice.bad").inner_text() == failed
    assert visitor.page.locator("article.question").inner_text().endswith("Please fail")


def test_markup_in_an_answer_is_only_text(visitor):
    attack = "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script> [x](javascript:alert(1))"
    visitor.open_chat("dummy")
    visitor.send(attack)
    visitor.wait_for_text("<script>")
    visitor.wait_for_end()
    assert visitor.answer.locator("img, script").count() == 0
    assert visitor.answer.locator("a[href^='javascript']").count() == 0
    # The question is the title; as text, it may name what it did not do.
    assert visitor.page.title() != "owned"


def test_draft_survives_a_reload(visitor):
    visitor.open_chat("dummy")
    visitor.page.get_by_role("textbox", name="Message").fill("Half a thought")
    visitor.page.reload()
    visitor.page.locator("#model:enabled").wait_for()
    assert visitor.page.get_by_role("textbox", name="Message").input_value() == "Half a thought"


def test_answer_of_a_killed_web_is_interrupted_and_keeps_its_text(visitor, site):
    visitor.open_chat("tokens-400-at-20")
    visitor.send("Outlive this")
    wait_for("some text", lambda: len(visitor.answer_text()) > 20)
    # Partial answers are stored every second.
    time.sleep(2)
    os.kill(site.service("web"), signal.SIGKILL)
    # Nobody reloads: the page comes back to the new process by itself.
    wait_for("the interruption", lambda: "Interrupted" in visitor.answer.inner_text(), 20)
    assert len(visitor.answer_text()) > 20
    assert visitor.answer.get_by_role("button", name="Ask again").is_visible()
    visitor.send("And again")
    visitor.stop()
    visitor.wait_for_end()
    # The browser told of the connections that it lost.
    visitor.offences.clear()
