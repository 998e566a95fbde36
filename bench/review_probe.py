"""What a page's script cannot hide: when the first view was whole, and how long a key took."""

from playwright.sync_api import Page

# From the browser taking the key to the frame that shows its effect being handed to the screen.
PROBE = """
window.probe = { keys: [], whole: 0 };
addEventListener("keydown", (event) => {
  const began = event.timeStamp;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.probe.keys.push(performance.now() - began);
    channel.port2.postMessage(0);
  });
}, true);
const whole = () => {
  const seen = [...document.querySelectorAll(".cell img")].filter((image) => {
    const area = image.getBoundingClientRect();
    return area.bottom > 0 && area.top < innerHeight;
  });
  const done = seen.length && seen.every((image) => image.complete && image.naturalWidth);
  if (done) window.probe.whole = performance.now();
  else requestAnimationFrame(whole);
};
requestAnimationFrame(whole);
"""


def first_view_s(page: Page) -> float:
    """Return the seconds from asking for the page to every picture in view being there."""
    while not (whole_ms := page.evaluate("window.probe.whole")):
        page.wait_for_timeout(20)  # wait_for_function needs eval, which the page forbids
    return whole_ms / 1000


def latencies_ms(page: Page) -> list[float]:
    """Return how long each key since the last call took until it was painted, sorted."""
    page.wait_for_timeout(200)
    return sorted(page.evaluate("window.probe.keys.splice(0)"))


def share(sorted_values: list[float], at: float) -> float:
    """Return a quantile of sorted values: 0.5 is the median."""
    return sorted_values[min(len(sorted_values) - 1, int(at * len(sorted_values)))]
