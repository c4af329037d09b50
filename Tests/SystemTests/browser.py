"""A person with a browser: headless Chromium, watched for what the pages must never do."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Request

from lumen_site import Site
from machine import wait_for


class Visitor:
    """One browser profile on one site; `check` fails for requests to other hosts, refused scripts and script errors.

    - also: the origin of an identity provider, which may be gone to, and whose pages are not watched.
    """

    def __init__(self, browser: Browser, site: Site, also: str | None = None, **options):
        self.site = site
        self.hosts = {urlsplit(url).netloc for url in (site.url, also) if url}
        self.context = browser.new_context(base_url=site.url, **options)
        self.page = self.context.new_page()
        self.offences: list[str] = []
        self.page.on("request", self.watch_request)
        self.page.on("console", self.watch_console)
        self.page.on("pageerror", lambda error: self.offences.append(f"script error: {error}"))

    def watch_request(self, request: Request) -> None:
        if not request.is_navigation_request() and not self.is_ours(request.frame.url):
            return
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.netloc not in self.hosts:
            self.offences.append(f"request to {address.netloc}")

    def watch_console(self, message: ConsoleMessage) -> None:
        # A breach of the content security policy is reported as an error, too; so is the answer to a form that is refused,
        # which is as it should be.
        is_expected = "status of 422" in message.text
        if message.type == "error" and self.is_ours(message.location["url"]) and not is_expected:
            self.offences.append(f"console: {message.text}")

    def is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc in ("", urlsplit(self.site.url).netloc)

    def check(self) -> None:
        assert self.offences == [], self.offences

    def close(self) -> None:
        self.context.close()

    # What people do

    def log_in(self) -> None:
        self.page.goto("/")
        self.page.get_by_role("link", name="Login").click()
        self.page.get_by_role("button", name="Log out").wait_for()
        self.site.secrets |= {cookie["value"] for cookie in self.context.cookies()}

    def log_out(self) -> None:
        """Once the page is at rest: what the chat asks for on its own would be refused, and reported, after the session."""
        self.page.wait_for_load_state("networkidle")
        self.page.get_by_role("button", name="Log out").click()
        self.page.get_by_role("link", name="Login").wait_for()

    def open_chat(self, model: str) -> None:
        self.page.goto("/chat")
        self.page.locator("#model:enabled").wait_for()
        self.page.get_by_label("Model").select_option(model)

    def send(self, text: str) -> None:
        self.page.get_by_role("textbox", name="Message").fill(text)
        self.page.get_by_role("button", name="Send").click()

    def stop(self) -> None:
        self.page.get_by_role("button", name="Stop").click()

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.page.locator("article.answer").last

    def answer_text(self) -> str:
        texts = self.page.locator("article.answer .message-text")
        return texts.last.inner_text() if texts.count() else ""

    def wait_for_text(self, text: str, seconds: float = 10) -> None:
        wait_for(f"{text!r} in the answer", lambda: text in self.answer_text(), seconds)

    def wait_for_end(self, seconds: float = 20) -> None:
        self.answer.wait_for()
        wait_for("the answer's end", lambda: self.answer.get_attribute("aria-busy") is None, seconds)

    def settle(self) -> None:
        """Lets the frames that the page has asked for be drawn, late ones too."""
        self.page.wait_for_timeout(200)
