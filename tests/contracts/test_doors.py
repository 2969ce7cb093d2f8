"""Every address has a guard, and every guard is where a reader would look for it."""

from __future__ import annotations

import pytest
from flask import Flask

from app.domain.people.permissions import PERMISSIONS
from app.web.tenancy import open_kept_store, open_store, platform_only

# Blueprints without a guard at the door, each with its reason.
OPEN = {"media": "pictures are public, read no cookie, and have unguessable names"}
# Platform pages that ask who somebody is by themselves, because that is what they are for.
SIGNING_IN = "signing_in."


@pytest.mark.row("W2")
def test_every_blueprint_has_a_guard_on_its_door(app: Flask) -> None:
    doors = {name for name in app.blueprints if not app.before_request_funcs.get(name)}

    assert doors == set(OPEN)


def test_a_shops_pages_and_the_platforms_never_answer_on_each_others_host(app: Flask) -> None:
    wrong = []
    for name, blueprint in app.blueprints.items():
        expected = {
            "storefront": {open_store, open_kept_store},
            "backoffice": {platform_only},
            "platform": {platform_only},
        }
        audience = blueprint.import_name.split(".")[2]
        guards = expected.get(audience)
        if guards and name not in OPEN and not guards & {*app.before_request_funcs[name]}:
            wrong.append(name)

    assert wrong == []


def test_only_the_cart_takes_a_store_that_may_have_changed_a_second_ago(app: Flask) -> None:
    kept = [name for name in app.blueprints if open_kept_store in app.before_request_funcs[name]]

    assert kept == ["cart"]


@pytest.mark.row("W43", "W2")
def test_every_back_office_view_says_what_it_permits(app: Flask) -> None:
    silent, unknown = [], []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if not view.__module__.startswith(("app.web.backoffice", "app.web.platform")):
            continue
        permission = getattr(view, "_permission", None)
        is_open = rule.endpoint.startswith(SIGNING_IN) or getattr(view, "_open_to", "")
        if permission is None and not is_open:
            silent.append(rule.rule)
        elif permission is not None and permission not in PERMISSIONS:
            unknown.append((rule.rule, permission))

    assert (silent, unknown) == ([], [])


def test_what_no_permission_guards_is_not_a_page_of_a_store(app: Flask) -> None:
    """``open_to`` and ``require_person`` are for the platform's own pages."""
    marked = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if hasattr(app.view_functions[rule.endpoint], "_open_to")
    }

    assert marked
    assert [rule for rule in marked if "<store>" in rule] == []


def test_staff_addresses_name_their_store(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if getattr(view, "_permission", None):
            assert rule.rule.startswith(("/staff/<store>/", "/dash/<store>/")), rule.rule


def test_a_fragment_has_an_address_of_its_own(app: Flask) -> None:
    """No GET varies on HX-Request: only views that also take a POST may ask about it."""
    import inspect

    asking = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.methods
        and "POST" not in rule.methods
        and "wants_fragment" in inspect.getsource(inspect.unwrap(app.view_functions[rule.endpoint]))
    ]

    assert asking == []
