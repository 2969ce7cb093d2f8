"""The rules that bin/lint adds: each is broken here once, and found."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import house_rules


@pytest.mark.parametrize(
    "line",
    [
        '<p style="color: red">',
        '<p\n  class="x" style="color: red">',
        '<button onclick="go()">',
        '<button hx-on:click="go()">',
        "<script>go()</script>",
        """<div hx-vals='js:{"a": 1}'>""",
        '<div hx-trigger="click[ctrlKey]">',
        '<a href="javascript:go()">',
    ],
)
def test_what_the_content_policy_refuses_is_found(tmp_path: Path, line: str) -> None:
    page = tmp_path / "templates" / "storefront" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<p>first line</p>\n{line}\n")
    breaches = list(house_rules.template_breaches(tmp_path))
    assert len(breaches) == 1
    assert breaches[0].startswith("templates/storefront/page.html:2 ")


def test_what_it_allows_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "templates" / "page.html"
    page.parent.mkdir()
    page.write_text(
        '<style>{{ inline_css }}</style><script src="/static/htmx.js" defer></script>\n'
        '<script type="application/ld+json">{}</script>\n'
        '{# never style="…" #}<!-- nor onclick="…" -->\n'
        '<div hx-get="/x" hx-trigger="every 2s" data-style="a" hx-status:422="target:#e">'
    )
    assert list(house_rules.template_breaches(tmp_path)) == []


def test_only_the_relay_rings_the_queue(tmp_path: Path) -> None:
    code = "def run(queue):\n    queue.enqueue('job')\n"
    for name in ("tasks/relay.py", "tasks/payments.py", "app/domain/orders/actions.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    found = [breach.split()[0] for breach in house_rules.queue_breaches(tmp_path)]
    assert found == ["app/domain/orders/actions.py:2", "tasks/payments.py:2"]


def test_this_checkout_keeps_them() -> None:
    assert list(house_rules.template_breaches(house_rules.CHECKOUT)) == []
    assert list(house_rules.queue_breaches(house_rules.CHECKOUT)) == []
