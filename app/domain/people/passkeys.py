"""Passkeys: a phone's fingerprint or face in place of a code.

The page asks for a challenge, the phone signs it, we check it here. A challenge belongs to one
browser and one purpose, is used up by the first answer, right or wrong, and dies after five
minutes. The person is always verified by their device, so a passkey alone is a second factor.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.addresses import platform_url
from app.clock import utcnow
from app.db.engine import platform_session
from app.domain.audit.actions import record
from app.domain.errors import DomainError, NotFound
from app.domain.people.models import Passkey, PasskeyChallenge, Person
from app.i18n import gettext_lazy as _
from app.lazily import lazily
from app.logging import get_logger

if TYPE_CHECKING:
    import webauthn
else:
    webauthn = lazily("webauthn")

log = get_logger("passkeys")

LIFETIME = timedelta(minutes=5)
MAX_PASSKEYS = 10
MAX_NAME = 60
MAX_ANSWER = 16 * 1024  # characters; a phone's answer is about one thousand


class Purpose(StrEnum):
    """What an answer may be used for. An answer to one is none to another."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    CONFIRM = "confirm"


class PasskeyRefused(DomainError):
    """The phone's answer was not accepted. One sentence for every reason: the log has the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(_("That fingerprint or face was not accepted. Try again, or use a code."))


class TooManyPasskeys(DomainError):
    """The person has as many passkeys as anybody needs."""

    def __init__(self) -> None:
        super().__init__(_("You have %(n)s passkeys already. Remove one first.", n=MAX_PASSKEYS))


def rp_id() -> str:
    """The host that passkeys belong to: the platform's, without a port."""
    return urlsplit(platform_url()).hostname or ""


def origin() -> str:
    """The only origin whose answers are accepted: the platform's, as browsers write it."""
    return platform_url("").rstrip("/")


def passkeys_of(person_id: UUID) -> list[Passkey]:
    """The person's passkeys, the oldest first."""
    with platform_session() as session:
        return list(
            session.scalars(
                select(Passkey).where(Passkey.person_id == person_id).order_by(Passkey.id)
            )
        )


def registration_options(person: Person, *, browser: str) -> str:
    """What the page hands to ``navigator.credentials.create``, as JSON.

    ``browser`` is the secret of the session that asks. Raises TooManyPasskeys.
    """
    known = passkeys_of(person.id)
    if len(known) >= MAX_PASSKEYS:
        raise TooManyPasskeys
    options = webauthn.generate_registration_options(
        rp_id=rp_id(),
        rp_name="Dukani",
        user_id=person.id.bytes,
        user_name=person.name,
        user_display_name=person.name,
        challenge=_new_challenge(Purpose.REGISTER, browser, person.id),
        authenticator_selection=webauthn.helpers.structs.AuthenticatorSelectionCriteria(
            resident_key=webauthn.helpers.structs.ResidentKeyRequirement.REQUIRED,
            user_verification=webauthn.helpers.structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[_descriptor(passkey) for passkey in known],
    )
    return webauthn.options_to_json(options)


def register(session: Session, person: Person, answer: str, *, name: str, browser: str) -> Passkey:
    """Keep a new passkey. Inside store 0; the caller commits the audit entry.

    The caller has made sure that it is this person. Raises PasskeyRefused, TooManyPasskeys.
    """
    credential = _read(answer)
    challenge = _take_challenge(credential, Purpose.REGISTER, browser, person.id)
    try:
        checked = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp_id(),
            expected_origin=origin(),
            require_user_verification=True,
        )
    except (
        webauthn.helpers.exceptions.WebAuthnException,
        ValueError,
        KeyError,
        TypeError,
    ) as error:
        raise _refused(type(error).__name__) from error
    passkey = Passkey(
        credential_id=checked.credential_id,
        person_id=person.id,
        public_key=checked.credential_public_key,
        sign_count=checked.sign_count,
        name=name.strip()[:MAX_NAME] or "Passkey",
        is_synced=checked.credential_backed_up,
        transports=_transports(credential),
    )
    with platform_session() as platform:
        # One at a time per person, so that two answers cannot pass the limit together.
        platform.execute(select(Person.id).where(Person.id == person.id).with_for_update())
        count = platform.scalar(select(func.count()).where(Passkey.person_id == person.id)) or 0
        if count >= MAX_PASSKEYS:
            raise TooManyPasskeys
        if platform.get(Passkey, checked.credential_id) is not None:
            raise _refused("known_credential")
        platform.add(passkey)
    record(
        session,
        "passkey.added",
        actor=person.name,
        subject=f"person:{person.id}",
        passkey=str(passkey.id),
        name=passkey.name,
    )
    return passkey


def assertion_options(purpose: Purpose, *, browser: str, person: Person | None = None) -> str:
    """What the page hands to ``navigator.credentials.get``, as JSON.

    For signing in nobody is named: the phone offers what it has, and a stranger learns nothing.
    """
    options = webauthn.generate_authentication_options(
        rp_id=rp_id(),
        challenge=_new_challenge(purpose, browser, person.id if person else None),
        allow_credentials=[_descriptor(key) for key in passkeys_of(person.id)] if person else None,
        user_verification=webauthn.helpers.structs.UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def person_with_passkey(
    answer: str, *, purpose: Purpose, browser: str, person: Person | None = None
) -> Person:
    """Whose passkey answered the challenge of this browser. Commits: an answer works once.

    With ``person``, only their own passkeys are accepted. Raises PasskeyRefused.
    """
    credential = _read(answer)
    challenge = _take_challenge(credential, purpose, browser, person.id if person else None)
    try:
        credential_id = webauthn.base64url_to_bytes(credential["rawId"])
    except (KeyError, TypeError, ValueError) as error:
        raise _refused("no_id") from error
    with platform_session() as platform:
        passkey = platform.scalar(
            select(Passkey).where(Passkey.credential_id == credential_id).with_for_update()
        )
        if passkey is None or (person is not None and passkey.person_id != person.id):
            raise _refused("not_theirs")
        _check_user_handle(credential, passkey)
        try:
            checked = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=rp_id(),
                expected_origin=origin(),
                credential_public_key=passkey.public_key,
                # A counter that does not move on is a copy of the key: refused in there.
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (
            webauthn.helpers.exceptions.WebAuthnException,
            ValueError,
            KeyError,
            TypeError,
        ) as error:
            raise _refused(type(error).__name__) from error
        passkey.sign_count, passkey.used_at = checked.new_sign_count, utcnow()
        passkey.is_synced = checked.credential_backed_up
        return platform.get_one(Person, passkey.person_id)


def rename_passkey(person: Person, passkey_id: UUID, name: str) -> None:
    """Call it something else. Raises NotFound for a passkey of somebody else."""
    wanted = name.strip()[:MAX_NAME]
    with platform_session() as platform:
        changed = platform.execute(
            update(Passkey)
            .where(Passkey.id == passkey_id, Passkey.person_id == person.id)
            .values(name=wanted or Passkey.name)
            .returning(Passkey.id)
        )
        if changed.one_or_none() is None:
            raise NotFound


def remove_passkey(session: Session, person: Person, passkey_id: UUID) -> str:
    """Forget a passkey; returns its name. Inside store 0; the caller commits the audit entry.

    Raises NotFound for a passkey of somebody else.
    """
    with platform_session() as platform:
        name = platform.scalar(
            delete(Passkey)
            .where(Passkey.id == passkey_id, Passkey.person_id == person.id)
            .returning(Passkey.name)
        )
    if name is None:
        raise NotFound
    record(
        session,
        "passkey.removed",
        actor=person.name,
        subject=f"person:{person.id}",
        passkey=str(passkey_id),
        name=name,
    )
    return str(name)


def _new_challenge(purpose: Purpose, browser: str, person_id: UUID | None) -> bytes:
    """A challenge for this browser; older ones of the same purpose die, so rows cannot pile up."""
    challenge, now = secrets.token_bytes(32), utcnow()
    with platform_session() as platform:
        platform.execute(
            delete(PasskeyChallenge).where(
                or_(
                    PasskeyChallenge.expires_at < now,
                    (PasskeyChallenge.bound_to == _bound(browser))
                    & (PasskeyChallenge.purpose == purpose.value),
                )
            )
        )
        platform.add(
            PasskeyChallenge(
                challenge=challenge,
                purpose=purpose.value,
                bound_to=_bound(browser),
                person_id=person_id,
                expires_at=now + LIFETIME,
            )
        )
    return challenge


def _take_challenge(
    credential: dict[str, Any], purpose: Purpose, browser: str, person_id: UUID | None
) -> bytes:
    """Use up the challenge that was answered, if this browser was given it for this purpose."""
    try:
        data = webauthn.helpers.parse_client_data_json(
            webauthn.base64url_to_bytes(credential["response"]["clientDataJSON"])
        )
    except (
        webauthn.helpers.exceptions.WebAuthnException,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise _refused("unreadable") from error
    with platform_session() as platform:
        found = platform.execute(
            delete(PasskeyChallenge)
            .where(PasskeyChallenge.challenge == data.challenge)
            .returning(
                PasskeyChallenge.purpose,
                PasskeyChallenge.bound_to,
                PasskeyChallenge.person_id,
                PasskeyChallenge.expires_at,
            )
        ).one_or_none()
    expected = (purpose.value, _bound(browser), person_id)
    if found is None or tuple(found)[:3] != expected or _is_past(found.expires_at):
        raise _refused("challenge")
    return data.challenge


def _check_user_handle(credential: dict[str, Any], passkey: Passkey) -> None:
    handle = credential["response"].get("userHandle")
    if handle and handle.rstrip("=") != webauthn.helpers.bytes_to_base64url(
        passkey.person_id.bytes
    ):
        raise _refused("user_handle")


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise _refused("too_long")
    try:
        credential = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise _refused("no_json") from error
    if not isinstance(credential, dict) or not isinstance(credential.get("response"), dict):
        raise _refused("no_credential")
    return credential


def _transports(credential: dict[str, Any]) -> list[str]:
    said = credential["response"].get("transports")
    known = {transport.value for transport in webauthn.helpers.structs.AuthenticatorTransport}
    return [one for one in said if one in known][:8] if isinstance(said, list) else []


def _descriptor(passkey: Passkey) -> webauthn.helpers.structs.PublicKeyCredentialDescriptor:
    return webauthn.helpers.structs.PublicKeyCredentialDescriptor(
        id=passkey.credential_id,
        transports=[
            webauthn.helpers.structs.AuthenticatorTransport(one) for one in passkey.transports
        ]
        or None,
    )


def _bound(browser: str) -> bytes:
    return hashlib.sha256(b"passkey:" + browser.encode()).digest()


def _is_past(moment: datetime) -> bool:
    return moment <= utcnow()


def _refused(reason: str) -> PasskeyRefused:
    log.warning("passkey_refused", reason=reason)
    return PasskeyRefused(reason)
