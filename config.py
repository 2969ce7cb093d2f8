"""Settings, read once at start-up from the environment.

Every value the app needs is a field here; nothing else reads os.environ. A missing
secret stops the process with its name, never with a default; in production a secret
that is short or was published in an example is refused as well.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from typing import Self

from app.timings import Timings

PUBLISHED = ("change-me", "changeme", "secret", "example", "dukani-dev")
ENVIRONMENTS = ("development", "test", "production")
# Where browsers get their notifications from: Chromium's, Mozilla's, Apple's and Microsoft's.
PUSH_HOSTS = (
    "fcm.googleapis.com",
    "push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
)


class MissingSetting(RuntimeError):
    """A required environment variable is absent or empty."""


class UnsafeSetting(RuntimeError):
    """A value that must not be used in production."""


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise MissingSetting(f"{name} is not set (see .env.example)")
    return value


def _optional(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def _seconds(name: str, default: float) -> float:
    return float(_optional(name, str(default)))


def _key(name: str) -> bytes:
    text = _required(name)
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UnsafeSetting(f"{name} is not base64") from error
    if len(key) != 32:
        raise UnsafeSetting(f"{name} must be 32 bytes in base64, not {len(key)}")
    return key


def postgres_url(url: str) -> str:
    """The same address in the spelling SQLAlchemy wants (``postgres://`` is Heroku's)."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def timings_from_environ() -> Timings:
    """Every wait in seconds, from the environment or the contract's default."""
    cls = Timings

    def many(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        text = _optional(name)
        return tuple(float(part) for part in text.split(",")) if text else default

    return cls(
        confirm_delays=many("CONFIRM_DELAYS", cls.confirm_delays),
        confirm_every=_seconds("CONFIRM_EVERY_SECONDS", cls.confirm_every),
        confirm_for=_seconds("CONFIRM_FOR_SECONDS", cls.confirm_for),
        first_check=_seconds("FIRST_CHECK_SECONDS", cls.first_check),
        check_every=_seconds("CHECK_EVERY_SECONDS", cls.check_every),
        check_until=_seconds("CHECK_UNTIL_SECONDS", cls.check_until),
        late_check_delays=many("LATE_CHECK_DELAYS", cls.late_check_delays),
        give_up_after=_seconds("GIVE_UP_SECONDS", cls.give_up_after),
        sending_is_lost_after=_seconds("SENDING_LOST_SECONDS", cls.sending_is_lost_after),
        resend_after_unknown=_seconds("RESEND_AFTER_UNKNOWN_SECONDS", cls.resend_after_unknown),
        prompt_lifetime=_seconds("PROMPT_SECONDS", cls.prompt_lifetime),
        reservation=_seconds("RESERVATION_SECONDS", cls.reservation),
        quote=_seconds("QUOTE_SECONDS", cls.quote),
        offer=_seconds("OFFER_SECONDS", cls.offer),
        receipt_patience=_seconds("RECEIPT_PATIENCE_SECONDS", cls.receipt_patience),
        lease=_seconds("LEASE_SECONDS", cls.lease),
        visibility=_seconds("VISIBILITY_SECONDS", cls.visibility),
        retry_delay=_seconds("RETRY_SECONDS", cls.retry_delay),
        wrong_try=_seconds("WRONG_TRY_SECONDS", cls.wrong_try),
        give_up_reaching=_seconds("GIVE_UP_REACHING_SECONDS", cls.give_up_reaching),
        probe_every=_seconds("PROBE_SECONDS", cls.probe_every),
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything one process of the product needs to know."""

    environment: str
    database_url: str
    platform_database_url: str
    relay_database_url: str
    migrator_database_url: str
    redis_url: str
    cache_redis_url: str
    secret_key: str
    phone_key: bytes
    lookup_key: bytes
    public_scheme: str = "http"
    platform_host: str = "localhost:8000"
    store_host_suffix: str = ".localhost:8000"
    proxy_hops: int = 0
    provider_ips: tuple[str, ...] = ()
    media_dir: str = "var/media"
    s3_bucket: str = ""
    s3_endpoint: str = ""
    s3_region: str = ""
    s3_access_key_id: str = ""
    s3_secret_access_key: str = field(default="", repr=False)
    picture_hosts: tuple[str, ...] = ()
    picture_test_hosts: tuple[str, ...] = ()
    metrics_token: str = ""
    daraja_base_url: str = ""
    # The platform's own account at the provider's test system: new stores begin on it.
    mpesa_test_base_url: str = ""
    mpesa_test_shortcode: str = ""
    mpesa_test_consumer_key: str = ""
    mpesa_test_consumer_secret: str = ""
    mpesa_test_passkey: str = ""
    mpesa_test_phone_url: str = ""
    graph_base_url: str = ""
    email_provider: str = "log"
    email_base_url: str = ""
    email_username: str = ""
    email_token: str = field(default="", repr=False)
    email_sender: str = ""
    email_hook_key: str = field(default="", repr=False)
    vapid_private_key: str = field(default="", repr=False)
    vapid_subject: str = ""
    push_hosts: tuple[str, ...] = PUSH_HOSTS
    push_test_hosts: tuple[str, ...] = ()
    sms_base_url: str = ""
    sms_username: str = ""
    sms_api_key: str = ""
    sms_provider: str = "africastalking"
    sms_sender: str = ""
    rate_limits_enabled: bool = True
    pooled: bool = True
    page_cache: bool = False
    page_cache_recheck: float = 0.5
    page_cache_mib: int = 8
    cdn_purge_url: str = ""
    cdn_purge_token: str = field(default="", repr=False)
    timings: Timings = field(default_factory=Timings)

    @classmethod
    def from_environ(cls) -> Self:
        """Read the environment. Raises MissingSetting or UnsafeSetting, naming the variable."""
        settings = cls(
            environment=_optional("APP_ENV", "production"),
            database_url=postgres_url(_required("DATABASE_URL")),
            platform_database_url=postgres_url(_optional("DATABASE_PLATFORM_URL")),
            relay_database_url=postgres_url(_optional("DATABASE_RELAY_URL")),
            migrator_database_url=postgres_url(_optional("DATABASE_MIGRATOR_URL")),
            redis_url=_required("REDIS_URL"),
            cache_redis_url=_optional("CACHE_REDIS_URL") or _required("REDIS_URL"),
            secret_key=_required("SECRET_KEY"),
            phone_key=_key("PHONE_KEY"),
            lookup_key=_key("LOOKUP_KEY"),
            public_scheme=_optional("PUBLIC_SCHEME", "http"),
            platform_host=_optional("PLATFORM_HOST", "localhost:8000"),
            store_host_suffix=_optional("STORE_HOST_SUFFIX", ".localhost:8000"),
            proxy_hops=int(_optional("PROXY_HOPS", "0")),
            provider_ips=tuple(ip for ip in _optional("PROVIDER_IPS").split(",") if ip),
            media_dir=_optional("MEDIA_DIR", "var/media"),
            s3_bucket=_optional("S3_BUCKET"),
            s3_endpoint=_optional("S3_ENDPOINT"),
            s3_region=_optional("S3_REGION"),
            s3_access_key_id=_optional("S3_ACCESS_KEY_ID"),
            s3_secret_access_key=_optional("S3_SECRET_ACCESS_KEY"),
            picture_hosts=tuple(host for host in _optional("PICTURE_HOSTS").split(",") if host),
            picture_test_hosts=tuple(
                host for host in _optional("PICTURE_TEST_HOSTS").split(",") if host
            ),
            metrics_token=_optional("METRICS_TOKEN"),
            daraja_base_url=_optional("DARAJA_BASE_URL"),
            mpesa_test_base_url=_optional("MPESA_TEST_BASE_URL"),
            mpesa_test_shortcode=_optional("MPESA_TEST_SHORTCODE"),
            mpesa_test_consumer_key=_optional("MPESA_TEST_CONSUMER_KEY"),
            mpesa_test_consumer_secret=_optional("MPESA_TEST_CONSUMER_SECRET"),
            mpesa_test_passkey=_optional("MPESA_TEST_PASSKEY"),
            mpesa_test_phone_url=_optional("MPESA_TEST_PHONE_URL"),
            graph_base_url=_optional("GRAPH_BASE_URL"),
            email_provider=_optional("EMAIL_PROVIDER", "log"),
            email_base_url=_optional("EMAIL_BASE_URL"),
            email_username=_optional("EMAIL_USERNAME"),
            email_token=_optional("EMAIL_TOKEN"),
            email_sender=_optional("EMAIL_SENDER"),
            email_hook_key=_optional("EMAIL_HOOK_KEY"),
            vapid_private_key=_optional("VAPID_PRIVATE_KEY"),
            vapid_subject=_optional("VAPID_SUBJECT"),
            push_hosts=tuple(host for host in _optional("PUSH_HOSTS").split(",") if host)
            or PUSH_HOSTS,
            push_test_hosts=tuple(host for host in _optional("PUSH_TEST_HOSTS").split(",") if host),
            sms_base_url=_optional("SMS_BASE_URL"),
            sms_username=_optional("SMS_USERNAME"),
            sms_api_key=_optional("SMS_API_KEY"),
            sms_provider=_optional("SMS_PROVIDER", "africastalking"),
            sms_sender=_optional("SMS_SENDER"),
            rate_limits_enabled=_optional("RATE_LIMITS", "on") != "off",
            page_cache=_optional("PAGE_CACHE", "on") != "off",
            page_cache_recheck=_seconds("PAGE_CACHE_RECHECK_SECONDS", cls.page_cache_recheck),
            page_cache_mib=int(_optional("PAGE_CACHE_MIB", str(cls.page_cache_mib))),
            cdn_purge_url=_optional("CDN_PURGE_URL"),
            cdn_purge_token=_optional("CDN_PURGE_TOKEN"),
            timings=timings_from_environ(),
        )
        settings.refuse_if_unsafe()
        return settings

    def refuse_if_unsafe(self) -> None:
        """Stop a production process that would run on a guessable secret or in the clear."""
        if self.environment not in ENVIRONMENTS:
            raise UnsafeSetting(f"APP_ENV must be one of {', '.join(ENVIRONMENTS)}")
        if self.environment != "production":
            return
        if len(self.secret_key) < 32 or any(word in self.secret_key.lower() for word in PUBLISHED):
            raise UnsafeSetting("SECRET_KEY is too short or was published in an example")
        for name, key in (("PHONE_KEY", self.phone_key), ("LOOKUP_KEY", self.lookup_key)):
            if len(set(key)) < 12:
                raise UnsafeSetting(f"{name} is not random")
        if self.picture_test_hosts:
            raise UnsafeSetting("PICTURE_TEST_HOSTS opens private addresses: not in production")
        if self.push_test_hosts:
            raise UnsafeSetting("PUSH_TEST_HOSTS opens private addresses: not in production")
        if not self.rate_limits_enabled:
            raise UnsafeSetting("RATE_LIMITS cannot be off in production")

    def store_url(self, host: str) -> str:
        """The public address of a store's host, e.g. ``http://duka.localhost:8000``."""
        _, _, port = self.platform_host.partition(":")
        return f"{self.public_scheme}://{host}" + (f":{port}" if port else "")

    @property
    def platform_url(self) -> str:
        return f"{self.public_scheme}://{self.platform_host}"
