"""Things of which there is exactly one, read from the source: another one would be a second truth."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from app.jobs import QUEUE_OF, Topic
from tasks.runner import handlers
from tests.contracts.source import ROOT, Place, calls, trees

# Statements put together from a module's own text, never from what a person typed.
BUILT_FROM_OUR_OWN_TEXT = {
    "app/domain/cart/adding.py",
    "app/domain/catalog/cards.py",
    "app/domain/catalog/listing.py",
    "app/domain/catalog/queries.py",
    "app/domain/catalog/searching.py",
    "app/domain/catalog/together.py",
    "app/domain/checkout/basket.py",
    "app/domain/customers/consent.py",
    "app/domain/customers/finding.py",
    "app/domain/seo/area_facts.py",
    "app/domain/seo/track_record.py",
    "app/domain/stores/trust.py",
}


def test_every_topic_has_one_handler_and_one_queue() -> None:
    # A second handler of a topic raises when it is registered.
    assert set(handlers()) == set(Topic)
    assert set(QUEUE_OF) == set(Topic)


def test_only_the_relay_puts_jobs_on_the_queue() -> None:
    rings = ("enqueue", "enqueue_call", "enqueue_at", "enqueue_in", "enqueue_many")
    found = {place for name in rings for place, _ in calls(name)}

    assert {place.file for place in found} == {"tasks/relay.py"}


@pytest.mark.row("M2", "W10")
def test_money_is_asked_for_in_one_place_and_only_by_a_worker() -> None:
    found = [place for place, _ in calls("request_payment")]

    assert found == [Place("app/domain/payments/sending.py", "send_attempt")]
    callers = {place.file for place, _ in calls("send_attempt")}
    assert callers == {"tasks/payments.py"}


@pytest.mark.row("W45", "W7")
def test_orders_are_made_by_place_order_alone() -> None:
    makers = {place for place, _ in calls("Order")}
    inserts = [
        place
        for place, call in calls("insert")
        if call.args and ast.unparse(call.args[0]) == "Order"
    ]
    raw = [
        file
        for file, tree in trees("app", "tasks").items()
        if _says(tree, r"INSERT\s+INTO\s+(app\.)?orders\b")
    ]

    assert (makers, inserts) == (set(), [])
    assert raw == ["app/domain/orders/placing.py"]
    callers = {place for place, _ in calls("write_order")}
    assert callers == {Place("app/domain/checkout/actions.py", "place_order")}


@pytest.mark.row("W46", "W7")
def test_an_attempt_succeeds_in_settle_alone() -> None:
    moves = [
        place
        for place, call in calls("move_to")
        if call.args and ast.unparse(call.args[0]).endswith("AttemptStatus.SUCCEEDED")
    ]
    values = [
        place
        for name in ("values", "update")
        for place, call in calls(name)
        for word in call.keywords
        if word.arg == "status" and ast.unparse(word.value).endswith("SUCCEEDED")
    ]
    assigned = [
        file
        for file, tree in trees("app", "tasks").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.value).endswith("Status.SUCCEEDED")
        and any(
            isinstance(target, ast.Attribute) and target.attr == "status" for target in node.targets
        )
    ]
    raw = [
        file
        for file, tree in trees("app", "tasks").items()
        if _says(tree, r"UPDATE\s+app\.payment_attempts\s+SET[^;]*status\s*=\s*'succeeded'")
    ]

    assert moves == [Place("app/domain/payments/settling.py", "settle")]
    assert (values, assigned, raw) == ([], [], [])


@pytest.mark.row("T59")
def test_no_statement_is_put_together_from_what_people_type() -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "S608",
        "--ignore-noqa",
    ]
    told = subprocess.run(
        [*command, "--output-format", "concise", "app", "tasks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = {match.group(1) for match in re.finditer(r"(?m)^(\S+\.py):\d+:\d+: S608", told)}

    assert found <= BUILT_FROM_OUR_OWN_TEXT


@pytest.mark.row("T59")
def test_text_for_the_database_is_made_of_constants() -> None:
    """``text()`` gets literals and constants of its module, never a value of the moment."""
    loose = [
        (place, ast.unparse(call.args[0])[:80])
        for place, call in calls("text")
        for node in (ast.walk(call.args[0]) if call.args else ())
        if isinstance(node, ast.Name) and not re.fullmatch(r"_?[A-Z][A-Z0-9_]*", node.id)
    ]
    joined = Place("app/domain/insights/queries.py", "_of_visits")
    listed = Place("tasks/bulk.py", "sweep_old_rows")  # goes through a tuple of its module
    pieced = Place("app/domain/catalog/listing.py", "_statement")  # of its module's own pieces

    assert {place for place, _ in loose} <= {joined, listed, pieced}
    # The first joins two constants: whoever calls it gives it a literal.
    assert all(isinstance(call.args[0], ast.Constant) for _, call in calls("_of_visits"))


def _says(tree: ast.AST, pattern: str) -> bool:
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(pattern, node.value, re.I)
        for node in ast.walk(tree)
    )
