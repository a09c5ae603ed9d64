import contextlib
import shutil
import threading
import time

import pytest
import uvicorn

from reports.ledger_rows import add_call, add_decision, add_prompt, new_ledger, us
from underspend.config import load
from underspend.gateway.live import Live
from underspend.gateway.status import Status
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.web import app
from underspend.web.site import Site

NOW = us("2026-11-20T16:40:00+00:00")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(ledger):
    pieces = [("tools", "tool", "Bash", 3000), ("system", "text", "system 1", 2000), ("messages", "text", "user", 500)]
    add_call(ledger, "aaaa1111", "2026-11-20T10:00:00+00:00", (500, 2000, 0, 3000, 300), without_us_pico=10**12)
    add_prompt(ledger, "aaaa1111", pieces, '{"1": "5m"}')
    add_decision(ledger, "aaaa1111")
    add_call(
        ledger, "bbbb2222", "2026-11-19T10:00:00+00:00", (10, 0, 9000, 90_000, 2000), project="<b>blog", session="s/2"
    )
    unpriced = {"unpriced": "new-model", "model_served": "new-model", "cost_pico": 0, "without_us_pico": 0}
    lanes = {"input_pico": 0, "output_pico": 0}
    add_call(ledger, "cccc3333", "2026-11-20T11:00:00+00:00", (70, 0, 0, 0, 5), **unpriced, **lanes)
    add_call(ledger, "dddd4444", "2026-11-20T12:00:00+00:00", (70, 0, 0, 0, 5), evidence="estimated", outcome="aborted")
    return ledger


@pytest.fixture
def site(ledger, tmp_path):
    settings = load(home=tmp_path, flags={"report.timezone": "UTC"}, environ={})
    status = Status(clock=FakeClock(at=NOW), version="0.1.0", listening="http://127.0.0.1:4100")
    return Site(engine=ledger, live=Live(), status=status, settings=settings, now=lambda: NOW)


@pytest.fixture
def dashboard(site):
    return app.create(engine=site.engine, live=site.live, status=site.status, settings=site.settings, now=lambda: NOW)


@contextlib.contextmanager
def _running(application):
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join(10)


@pytest.fixture
def url(dashboard, site):
    """The dashboard on a real port. `site.live.publish` may be called from the test's thread."""
    loops = []

    async def remembering(scope, receive, send):
        import asyncio

        loops[:] = [asyncio.get_running_loop()]
        await dashboard(scope, receive, send)

    publish = site.live.publish
    site.live.publish = lambda row: loops[0].call_soon_threadsafe(publish, row)
    with _running(remembering) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium. Not for the session: its loop would stand in the way of other modules' `asyncio.run`."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


class Visit:
    """A page that notes every request and everything said on its console."""

    def __init__(self, page):
        self.page, self.requests, self.complaints = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def visit(browser):
    """Opens pages: `visit(url, scheme="dark", width=390)`."""
    pages = []

    def open_page(address, *, scheme="light", width=1280):
        page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        pages.append(page)
        seen = Visit(page)
        page.goto(address)
        page.wait_for_selector("main > *")
        return seen

    yield open_page
    for page in pages:
        page.close()
