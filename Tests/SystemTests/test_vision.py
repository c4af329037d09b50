"""What a long request costs beside a short one: its bytes are read once and relayed, not decoded."""

from vision_request import seconds

ATTEMPTS = 10
SIZES = (2_000, 2_000_000)
# Far above the 20 ms of a release build on a quiet machine; a body that waits for `100 Continue` adds a second.
ADDED_SECONDS = 0.5


def test_a_vision_request_of_2_mb_waits_for_nothing(site, key):
    """The backend's own share is not Lumen's; the fastest of some, on a busy machine."""
    added = [
        min(seconds(f"{site.url}/v1", key, size, ATTEMPTS)) - min(seconds(site.backend.any_url, key, size, ATTEMPTS))
        for size in SIZES
    ]
    assert added[1] - added[0] < ADDED_SECONDS
