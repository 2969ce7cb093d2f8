"""Signing in by a link sent to one's e-mail address: a quarter of an hour, once.

Opening the link does nothing yet, because mail programs open links to look at them; the button
on its page signs in. A known and an unknown address get the same answer and the same limits.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.addresses import platform_url
from app.clock import utcnow
from app.db.engine import platform_session
from app.domain.messaging.actions import queue_message
from app.domain.people import limits
from app.domain.people.models import Person, SignInLink
from app.domain.people.signing_in import find_person_by_email
from app.i18n import gettext, using_locale
from app.ids import new_id, new_token, token_hash

LIFETIME = timedelta(minutes=15)
KEEP_FOR = timedelta(days=1)

# (how many, in how many seconds)
PER_ADDRESS = ((1, 60), (3, 15 * 60), (10, 24 * 3600))
PER_PLACE = ((20, 3600),)


def ask_for_link(
    session: Session, *, email: str, next_path: str, language: str, address: str = ""
) -> None:
    """Send a link to this e-mail address, if it is somebody's. Inside store 0; the caller commits.

    ``address`` is where the browser asks from (empty: not limited by it). An older link of the
    same person dies. Raises TooManyTries, for known and unknown addresses alike.
    """
    account = email.strip().lower()
    limits.take_turn(session, "sign-in-link:account", account, *PER_ADDRESS)
    if address:
        place = limits.address_group(address)
        limits.take_turn(session, "sign-in-link:address", place, *PER_PLACE)
    person = find_person_by_email(account)
    token = new_token()
    if person is None:
        return
    with platform_session() as platform:
        platform.execute(
            delete(SignInLink).where(
                (SignInLink.person_id == person.id)
                | (SignInLink.created_at < func.clock_timestamp() - KEEP_FOR)
            )
        )
        platform.add(
            SignInLink(
                token_hash=token_hash(token),
                person_id=person.id,
                next_path=next_path,
                expires_at=utcnow() + LIFETIME,
            )
        )
    with using_locale(language):
        text = gettext(
            "Your link to Dukani\n\nOpen this within 15 minutes to sign in:\n%(link)s\n\n"
            "If you did not ask for it, do nothing: nobody is signed in without it.",
            link=platform_url(f"/sign-in/link/{token}"),
        )
    queue_message(
        session,
        "sign_in_link",
        phone=account,
        text=text,
        key=f"sign-in-link:{new_id()}",
        channel="email",
        language=language,
    )


def person_with_link(token: str) -> Person | None:
    """Whose link this is while it works; None for one used, too old or unknown. Uses nothing up."""
    with platform_session() as session:
        return session.scalar(
            select(Person)
            .join(SignInLink, SignInLink.person_id == Person.id)
            .where(
                SignInLink.token_hash == token_hash(token),
                SignInLink.used_at.is_(None),
                SignInLink.expires_at > func.clock_timestamp(),
            )
        )


def use_link(token: str) -> tuple[Person, str] | None:
    """Use the link up: who signs in and where they wanted to go, or None. Once, also at once."""
    with platform_session() as session:
        used = session.execute(
            update(SignInLink)
            .where(
                SignInLink.token_hash == token_hash(token),
                SignInLink.used_at.is_(None),
                SignInLink.expires_at > func.clock_timestamp(),
            )
            .values(used_at=func.clock_timestamp())
            .returning(SignInLink.person_id, SignInLink.next_path)
        ).one_or_none()
        if used is None:
            return None
        return session.get_one(Person, used.person_id), used.next_path
