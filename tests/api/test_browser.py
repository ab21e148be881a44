"""The browser snippet, in a browser: a page of another site, whose events come in."""

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.service import configuration, running_service, stored
from tests.api.test_auth import configured

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PAGE = """<!doctype html><meta charset="utf-8"><title>Tea</title>
<script>window.segue = window.segue || [];
  segue.push(["track", "Product Viewed", {{product_id: "p1", category: "Tea", price: 12.5}}]);
</script>
<script src="{service}/segue.js" data-key="WRITE"></script>
<script>
  segue.page();
  segue.consent({{Advertising: false}});
  segue.identify("ann");
  segue.push(["track", "Product Added", {{product_id: "p1"}}]);
  document.title = "id " + segue.anonymousId();
</script>
"""


def test_it_is_small_and_may_be_kept_for_an_hour(service: httpx.Client) -> None:
    answer = service.get("/segue.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert len(answer.content) < 3_000


@contextmanager
def shop(text: str) -> Iterator[str]:
    """A site with one page, on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    page = text
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("allowed", [True, False])
def test_a_page_of_a_configured_site_reports_its_events(tmp_path: Path, allowed: bool) -> None:
    settings = configuration(keys=[configured("browser", "WRITE", "ingest")])
    settings["service"]["cors_origins"] = ["*" if allowed else "https://shop.example"]
    with running_service(tmp_path, settings) as client:
        page = PAGE.format(service=str(client.base_url).rstrip("/"))
        with shop(page) as address:
            title = visited(address, tmp_path)
        sql = "SELECT body FROM events ORDER BY seq"
        events = [json.loads(body) for (body,) in stored(tmp_path, sql)]
    if not allowed:
        assert events == []
        return
    assert [event["name"] for event in events] == [
        "Product Viewed",
        "Page Viewed",
        "Identified",
        "Identified",
        "Product Added",
    ]
    (anonymous,) = {event["anonymous_id"] for event in events}
    assert f"<title>id {anonymous}</title>" in title
    assert [event.get("user_id") for event in events] == [None, None, None, "ann", "ann"]
    consents = [event.get("consent") for event in events]
    assert consents == [None, None, *[[["Advertising", False]]] * 3]
    assert events[0]["products"][0]["price_cents"] == 1250


def visited(address: str, folder: Path) -> str:
    """The page as it is after a few seconds of the browser's own clock."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [str(CHROMIUM), *options, profile, "--dump-dom", f"{address}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout
