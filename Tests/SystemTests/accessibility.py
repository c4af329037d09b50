"""What axe finds in a page."""

from axe_playwright_python.sync_playwright import Axe

from browser import Visitor

SERIOUS = {"serious", "critical"}


def findings_here(visitor: Visitor, page: str) -> set[str]:
    """Serious findings in the page that the visitor is at.

    - page: what it is called in them.
    """
    visitor.page.wait_for_load_state("networkidle")
    found = Axe().run(visitor.page).response["violations"]
    return {
        f"{page}: {violation['id']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    }
