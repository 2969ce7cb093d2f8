"""Callbacks about money: stored, answered, and only then thought about.

The path's secret tells the store and the attempt; nothing in the body is believed here.
The endpoint never answers 500: unknown secrets get 404, a database that is away 503.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, abort, current_app, g, jsonify, request
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import db, looking_up
from app.db.tenancy import PLATFORM_STORE
from app.domain.payments.callbacks import (
    MOST_REFUSED_A_MINUTE,
    keep_refused,
    store_callback,
)
from app.logging import get_logger
from app.web.metrics import CALLBACKS
from app.web.security import provider_callback
from app.web.tenancy import bind_store, platform_only

bp = Blueprint("payment_hooks", __name__, url_prefix="/hooks/pay")
log = get_logger("mpesa")

BODY_LIMIT = 16 * 1024


@bp.before_request
def _guard() -> None:
    platform_only()


@bp.post("/<regex32:token>")
@provider_callback
def receive(token: str) -> tuple[Response, int]:
    """Store one callback and answer. What it means is found out by a worker."""
    return _keep(token, c2b_kind="c2b_confirmation")


@bp.post("/<regex32:token>/check")
@provider_callback
def validate(token: str) -> tuple[Response, int]:
    """C2B validation: kept, and always accepted, so that nobody's payment is vetoed."""
    return _keep(token, c2b_kind="c2b_validation")


def _keep(token: str, *, c2b_kind: str) -> tuple[Response, int]:
    if (request.content_length or 0) > BODY_LIMIT:
        _note_refused("too_large", b"")
        abort(413)
    body = request.get_data(cache=False)
    if len(body) > BODY_LIMIT:
        _note_refused("too_large", b"")
        abort(413)
    try:
        with looking_up() as connection:
            stored = store_callback(
                connection,
                token,
                body,
                c2b_kind=c2b_kind,
                source_ip=request.remote_addr or "",
                is_listed_ip=request.remote_addr in current_app.config["SETTINGS"].provider_ips,
                headers=dict(request.headers),
            )
    except SQLAlchemyError as error:
        log.warning("callback_not_stored", error=type(error).__name__)
        return jsonify(ResultCode=1, ResultDesc="Try again"), 503
    if stored is None:
        _note_refused("unknown_secret", body)
        return jsonify(ResultCode=1, ResultDesc="Rejected"), 404
    g.store_id = stored.store_id
    CALLBACKS.labels(stored.kind).inc()
    return jsonify(ResultCode=0, ResultDesc="Accepted"), 200


def _note_refused(why: str, body: bytes) -> None:
    """Let the platform's desk see who knocks at addresses that are nobody's. Never fails the answer.

    A flood of guesses must not become a flood of statements: Redis counts first, and without
    Redis nothing is noted.
    """
    key = f"refused-callbacks:{int(time.time()) // 60}"
    try:
        with current_app.extensions["cache_redis"].pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 120)
            if int(pipeline.execute()[0]) > MOST_REFUSED_A_MINUTE:
                return
    except RedisError:
        return
    bind_store(PLATFORM_STORE)
    try:
        keep_refused(
            db.session(),
            why,
            body,
            source_ip=request.remote_addr or "",
            headers=dict(request.headers),
        )
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("refused_callback_not_kept", error=type(error).__name__)
