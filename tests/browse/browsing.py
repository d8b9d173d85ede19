"""The page as a user starts it, and the browser in which it is looked at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
PATIENCE = 60
PHONE = {"width": 390, "height": 844}


@contextmanager
def served(*words, log, **variables):
    """Run a command that shows the page; gives its address, and ends it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}
    with Path(log).open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)], env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            yield _ready(process, Path(log))
        finally:
            process.terminate()
            process.wait(20)


def _ready(process, log):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        said = log.read_text()
        address = next((line.split()[0] for line in said.splitlines() if line.startswith("http://")), None)
        if process.poll() is not None:
            pytest.fail(f"the page ended: {said}")
        if address is not None:
            address = address.replace("0.0.0.0", "127.0.0.1")
            try:
                with urllib.request.urlopen(address, timeout=5):
                    return address
            except (urllib.error.URLError, OSError):
                pass
        time.sleep(0.2)
    return pytest.fail(f"the page was not there after {PATIENCE} s: {log.read_text()}")


@contextmanager
def chromium():
    """Start the browser, or skip."""
    driver = pytest.importorskip(
        "playwright.sync_api", reason="Playwright drives the browser in which pages are tested"
    )
    pytest.importorskip("gradio", reason="the page needs Gradio")
    if not Path(CHROMIUM).is_file():
        pytest.skip("no Chromium: this test looks at the page in it")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Visit:
    """A page that is open, and what the browser asked for and said meanwhile."""

    def __init__(self, browser, address, **size):
        self.page = browser.new_page(viewport=size or {"width": 1280, "height": 1000})
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_default_timeout(20_000)
        self.page.goto(address)
        self.page.wait_for_selector("#found p")

    def found(self, *texts):
        """Wait until what was found holds a text; gives all it says."""
        for text in texts:
            self.page.locator("#found p", has_text=text).wait_for()
        return self.page.locator("#found p").inner_text()

    def choose(self, label, text, option):
        box = self.page.get_by_role("combobox", name=label, exact=True)
        box.click()
        box.fill("")
        box.press_sequentially(text)
        self.page.get_by_role("option", name=option).first.click()

    def name(self, barcode):
        self.page.get_by_role("tab", name="Name a specimen").click()
        self.page.get_by_role("textbox", name="Barcode").fill(barcode)
        self.page.get_by_role("button", name="Name it").click()

    def outside(self):
        """Give the addresses that are not on this machine."""
        here = ("http://127.0.0.1:", "data:", "blob:")
        return [url for url in self.requests if not url.startswith(here)]

    def overflows(self):
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
