"""Fixtures shared by all system tests."""

import os
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.append(str(Path(__file__).parents[1] / "Proof"))

from browser import Visitor  # noqa: E402
from lumen_site import Site  # noqa: E402

# A test that hangs is reported with the stacks of its threads instead of blocking CI.
TEST_SECONDS = 900 if "PROVE_FULL" in os.environ else 180


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of the site's logs with a failed test."""
    outcome = yield
    report = outcome.get_result()
    site = getattr(item, "funcargs", {}).get("site")
    if report.when == "call" and report.failed and isinstance(site, Site) and site.log_path.exists():
        report.sections.append(("logs of the site", site.log_tail()))


@pytest.fixture(scope="module")
def site(request):
    """A site for the module's tests together; the module's SITE says how it differs from a plain one."""
    with Site(**getattr(request.module, "SITE", {})) as site:
        yield site


@pytest.fixture(scope="module")
def key(site):
    return site.create_key()


@pytest.fixture(scope="module")
def client(site, key):
    with site.client(key) as client:
        yield client


# Not for the whole session: Playwright's event loop is in the way of tests that run one of their own.
@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser, site):
    """Somebody who is logged in."""
    visitor = Visitor(browser, site)
    visitor.log_in()
    yield visitor
    visitor.check()
    visitor.close()
