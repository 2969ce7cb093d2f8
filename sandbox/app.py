"""What the sandbox is made of, top to bottom."""

from __future__ import annotations

from flask import Flask, Response, abort, g, request

from sandbox import daraja, graph, mail, pages, push, sim, sms
from sandbox.world import Call, World, world

STAND_INS = {"/daraja", "/graph", "/mail", "/push", "/sms"}
KEPT_BODY = 4000
LARGEST_BODY = 1_000_000


def create_app(keep: str | None = None) -> Flask:
    """The stand-ins, their control and the people pages, with a world of their own.

    ``keep`` names a file in which shops' keys survive a restart.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["world"] = World(keep)
    app.register_blueprint(daraja.bp, url_prefix="/daraja")
    app.register_blueprint(graph.bp, url_prefix="/graph")
    app.register_blueprint(mail.bp, url_prefix="/mail")
    app.register_blueprint(push.bp, url_prefix="/push")
    app.register_blueprint(sms.bp, url_prefix="/sms")
    app.register_blueprint(sim.bp, url_prefix="/_sim")
    app.register_blueprint(pages.bp)
    app.before_request(_refuse_other_sites)
    app.before_request(_read)
    app.after_request(_remember)
    return app


def _refuse_other_sites() -> None:
    """A page of some other site in the same browser must not press our buttons."""
    foreign = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
    if request.method == "POST" and foreign:
        abort(403)


def _read() -> None:
    """Read the body once, before a form is parsed out of it; too large is answered 413."""
    g.body = b""
    g.body = request.get_data(cache=True)


def _remember(response: Response) -> Response:
    """Keep what the shop asked and what it was told, for the operator page. Not its keys."""
    path = request.path
    if any(path.startswith(f"{prefix}/") for prefix in STAND_INS):
        here = world()
        answer = "" if response.is_streamed else response.get_data(as_text=True)
        here.calls.append(
            Call(
                at=here.clock.now(),
                method=request.method,
                path=path,
                body=g.body[:KEPT_BODY].decode("utf-8", "replace"),
                status=response.status_code,
                answer=answer[:KEPT_BODY],
            )
        )
    return response
