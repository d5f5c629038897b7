"""A page in the browser, and what is wrong with it; `checks.js` looks at the page from inside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHECKS = Path(__file__).parent / "checks.js"


class Opened:
    """A page that is kept open, with everything that it printed or asked for."""

    def __init__(self, browser: Browser, path: Path) -> None:
        self.url = path.resolve().as_uri()
        self.noise: list[str] = []
        self.page: Page = browser.new_page()
        self.page.set_default_timeout(5000)
        self.page.add_init_script(path=CHECKS)
        self.page.on("console", self._print)
        self.page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        self.page.on("request", lambda request: self._ask(request.url))
        self.page.on("websocket", lambda socket: self._ask(socket.url))
        self.show()
        self.load()

    def _print(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.noise.append(f"{message.type}: {message.text}")

    def _ask(self, url: str) -> None:
        if url.split("#", maxsplit=1)[0] != self.url and not url.startswith("data:"):
            self.noise.append(f"request: {url}")

    def load(self) -> None:
        """Anew, from the top, with everything that can be unfolded unfolded."""
        self.page.goto(self.url)
        self.page.evaluate("checks.prepare()")

    def show(self, width: int = 1280, scheme: Any = "light", media: Any = "screen") -> None:
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(media=media, color_scheme=scheme, reduced_motion="reduce")

    def complaints(self, check: str, *arguments: object) -> list[str]:
        found: list[str] = self.page.evaluate(f"values => checks.{check}(...values)", arguments)
        return found

    def keyboard(self) -> list[str]:
        """Presses Tab from the top of the page to its end."""
        self.load()
        stops: list[dict[str, Any]] = []
        while True:
            self.page.keyboard.press("Tab")
            stop = self.page.evaluate("checks.stop()")
            if stop is None or stop in stops:
                break
            stops.append(stop)
        found = [f"{stop['name']}: focus is not visible" for stop in stops if not stop["outlined"]]
        if not stops or not stops[0]["navigates"]:
            found.append(f"Tab does not lead to the navigation first, but to {stops[:1]}")
        return found + self.complaints("unreached", [stop["index"] for stop in stops])

    def clicks(self) -> list[str]:
        """Clicks every link to a place in the page."""
        from playwright.sync_api import Error

        found = []
        for link in self.page.locator('a[href^="#"]').all():
            target = (link.get_attribute("href") or "")[1:]
            try:
                link.focus()  # a link that skips the navigation shows itself then
                link.click()
                self.page.wait_for_function("id => checks.inView(id)", arg=target, timeout=1000)
            except Error:
                found.append(f"#{target}: a click does not show it")
        return found

    def printed_pages(self) -> int:
        return len(re.findall(rb"/Type\s*/Page\b", self.page.pdf()))
