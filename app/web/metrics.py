"""What /metrics shows. No label names a store, a phone or a person."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("dukani_requests", "Requests answered", ["method", "rule", "status"])
SECONDS = Histogram(
    "dukani_request_seconds",
    "Time to answer",
    ["rule"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
CALLBACKS = Counter("dukani_callbacks_stored", "Provider callbacks stored", ["kind"])
PAGES = Counter(
    "dukani_pages", "Public pages by kind, and how the page cache had them", ["kind", "how"]
)
