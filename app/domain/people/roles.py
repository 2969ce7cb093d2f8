"""What a role is called and what it is for, in words that help an owner choose one."""

from __future__ import annotations

from app.domain.people.permissions import (
    ACCOUNTANT,
    DISPATCHER,
    MANAGER,
    OWNER,
    PACKER,
    RIDER,
    SALES,
    SUPPORT,
)
from app.i18n import gettext_lazy as _

ROLE_WORDS = {
    OWNER: _("Owner"),
    MANAGER: _("Manager"),
    SALES: _("Sales"),
    PACKER: _("Packer"),
    DISPATCHER: _("Dispatcher"),
    RIDER: _("Rider"),
    ACCOUNTANT: _("Accountant"),
    SUPPORT: _("Support"),
}

ROLE_SENTENCES = {
    OWNER: _("Everything, also the team and where the money goes."),
    MANAGER: _("Runs the shop: orders, products, prices, areas, money to settle. Not the team."),
    SALES: _("Talks to customers, packs and hands over orders, checks payments."),
    PACKER: _("Sees what to pack and marks it packed. No phone numbers, no money."),
    DISPATCHER: _("Gives orders to riders and calls customers about deliveries."),
    RIDER: _("Sees only their own deliveries of today, with the way and the number to call."),
    ACCOUNTANT: _("Sees sales and money, settles doubtful payments, reads who did what."),
    SUPPORT: _("Answers customers: sees orders, numbers and payments, changes nothing."),
}
