"""What each role may do in its store: one table, read by the menu and by the guards alike.

The database keeps stores apart; which person of a store may press which button is decided
here and nowhere else. A permission is named after what it lets a person do.
"""

from __future__ import annotations

OWNER = "owner"
MANAGER = "manager"
SALES = "sales"
PACKER = "packer"
DISPATCHER = "dispatcher"
RIDER = "rider"
ACCOUNTANT = "accountant"
SUPPORT = "support"

ROLES: tuple[str, ...] = (OWNER, MANAGER, SALES, PACKER, DISPATCHER, RIDER, ACCOUNTANT, SUPPORT)

_LEADS = frozenset({OWNER, MANAGER})
_DESK = _LEADS | {SALES, PACKER, DISPATCHER, ACCOUNTANT, SUPPORT}

PERMISSIONS: dict[str, frozenset[str]] = {
    "door.open": frozenset(ROLES),
    "today.see": _LEADS | {ACCOUNTANT},
    "insights.apply": _LEADS,
    "orders.see": _DESK,
    "orders.pack": _LEADS | {SALES, PACKER},
    "orders.dispatch": _LEADS | {DISPATCHER},
    "orders.deliver": _LEADS | {SALES, DISPATCHER, RIDER},
    "orders.cancel": _LEADS,
    "customers.see": _LEADS | {SALES, SUPPORT},
    "customers.merge": _LEADS,
    "run.see": _LEADS | {DISPATCHER, RIDER},
    "phones.reveal": _LEADS | {SALES, DISPATCHER, SUPPORT},
    "money.see": _LEADS | {ACCOUNTANT, SALES, SUPPORT},
    "money.check": _LEADS | {ACCOUNTANT, SALES, SUPPORT},
    "money.review": _LEADS | {ACCOUNTANT},
    "products.see": _DESK,
    "products.change": _LEADS,
    "promotions.see": _LEADS | {SALES, ACCOUNTANT},
    "promotions.change": _LEADS,
    "floors.override": frozenset({OWNER}),
    "export.make": frozenset({OWNER}),
    "areas.see": _DESK,
    "areas.change": _LEADS,
    "store.see": _LEADS | {ACCOUNTANT},
    "store.change": _LEADS,
    "team.see": _LEADS,
    "team.change": frozenset({OWNER}),
    "payouts.change": frozenset({OWNER}),
    "audit.see": _LEADS | {ACCOUNTANT},
}


def can(role: str, permission: str) -> bool:
    """Whether a role may do this. Raises KeyError for a permission that the table lacks."""
    return role in PERMISSIONS[permission]


def roles_with(permission: str) -> frozenset[str]:
    """Every role that may do this. Raises KeyError for an unknown permission."""
    return PERMISSIONS[permission]
