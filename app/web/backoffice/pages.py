"""The shop's own pages and policies: which are shown, and an editor made of plain parts.

The editor is one form. Its small buttons (up, down, take out, add) show the form again with
the parts rearranged; nothing is kept until Save.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.addresses import store_url
from app.db.engine import db
from app.domain.changes.actions import latest_change
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem
from app.domain.pages.actions import (
    add_page,
    publish_pages,
    remove_page,
    save_page,
    use_ready_text,
)
from app.domain.pages.blocks import KINDS, MOST_BLOCKS, Block, clean_block
from app.domain.pages.queries import all_pages, find_page, words_in
from app.domain.pages.ready import POLICIES, READY, Words
from app.domain.stores.hosts import canonical_host
from app.domain.stores.settings import ChangedMeanwhile, check_seen
from app.domain.stores.settings_logo import MAX_BYTES, keep_small_picture
from app.i18n import LOCALES, current_locale, gettext_lazy, using_locale
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.settings import said_saved
from app.web.backoffice.settings_reading import line
from app.web.backoffice.shell import actor, desk, may, toast
from app.web.htmx import fragment, wants_fragment

bp = desk("office_pages", __name__, "/dash/<store>/settings/pages")

PICTURE_SIDE = 960
BLOCK_WORDS = {
    "heading": gettext_lazy("Heading"),
    "text": gettext_lazy("Text"),
    "list": gettext_lazy("List"),
    "picture": gettext_lazy("Picture"),
    "faq": gettext_lazy("Question and answer"),
    "call": gettext_lazy("Call button"),
    "chat": gettext_lazy("WhatsApp button"),
}
LANGUAGE_WORDS = {"en": "English", "sw": "Kiswahili"}
_FIELDS = ("text", "question", "answer", "label", "words", "key", "width", "height", "alt")


@bp.url_value_preprocessor
def _allow_pictures(endpoint: str | None, values: dict[str, Any] | None) -> None:
    # Before anything reads the form; every other page keeps the small limit.
    if endpoint == f"{bp.name}.save":
        request.max_content_length = 2 * MAX_BYTES + 512 * 1024


@bp.get("/")
@require_staff("store.see")
def show() -> ResponseReturnValue:
    """Every page with a switch, the ready policies among them."""
    return render_template("backoffice/pages.html", **_list_facts())


@bp.post("/")
@require_staff("store.change")
def publish() -> ResponseReturnValue:
    """Show to shoppers what is ticked, and hide the rest."""
    session = db.session()
    rows = all_pages(session, "en")
    wanted = {row.slug: request.form.get(f"show-{row.slug}") == "yes" for row in rows}
    try:
        check_seen(session, "pages", request.form.get("seen", ""))
        change = publish_pages(session, wanted, actor=actor())
    except ChangedMeanwhile as problem:
        session.rollback()
        facts = _list_facts() | {"notice": str(problem), "typed": wanted, "is_dirty": True}
        if wants_fragment():
            return fragment("backoffice/_pages_answer.html", status=422, **facts)
        return make_response(render_template("backoffice/pages.html", **facts), 422)
    session.commit()
    said_saved(change)
    if wants_fragment():
        return fragment("backoffice/_pages_answer.html", **_list_facts())
    return redirect(url_for(".show"), code=303)


@bp.post("/new")
@require_staff("store.change")
def add() -> ResponseReturnValue:
    """Begin a page of the shop's own and open it in the editor."""
    title, slug = line(request.form, "title", 80), line(request.form, "slug", 40)
    try:
        page = add_page(db.session(), title=title, slug=slug, locale="en", actor=actor())
    except FieldProblem as problem:
        db.session.rollback()
        facts = _list_facts() | {
            "new": {"title": title, "slug": slug},
            "wrong": {problem.field: str(problem)},
        }
        return make_response(render_template("backoffice/pages.html", **facts), 422)
    db.session.commit()
    return redirect(url_for(".edit", slug=page.slug), code=303)


@bp.get("/<slug:slug>/edit")
@require_staff("store.see")
def edit(slug: str) -> ResponseReturnValue:
    """The editor, in the language of ``lang``."""
    locale = _locale(request.args.get("lang", ""))
    page = find_page(db.session(), slug)
    words = words_in(page, slug, locale, g.store)
    is_published = page is not None and page.is_published
    return render_template(
        "backoffice/page_edit.html", **_edit_facts(slug, locale, words, is_published)
    )


@bp.post("/<slug:slug>/edit")
@require_staff("store.change")
def save(slug: str) -> ResponseReturnValue:
    """Rearrange the parts as a small button says, or save them all."""
    session = db.session()
    locale = _locale(request.form.get("lang", ""))
    words_in(find_page(session, slug), slug, locale, g.store)  # 404 for no page of ours
    wrong: dict[str, str] = {}
    blocks = _typed_blocks(request.form, wrong)
    typed = Words(title=line(request.form, "title", 80), blocks=blocks)
    is_published = request.form.get("is_published") == "yes"
    do = request.form.get("do", "save")
    if do != "save":
        _rearrange(blocks, do, wrong)
        return _answer(slug, locale, typed, is_published, wrong, is_dirty=True)
    notice = ""
    if not wrong:
        try:
            check_seen(session, "page", request.form.get("seen", ""), subject=slug)
            change = save_page(
                session,
                slug,
                locale=locale,
                title=typed.title,
                blocks=blocks,
                is_published=is_published,
                actor=actor(),
            )
        except FieldProblem as problem:
            wrong[problem.field] = str(problem)
        except ChangedMeanwhile as problem:
            notice = str(problem)
    if wrong or notice:
        session.rollback()
        return _answer(slug, locale, typed, is_published, wrong, is_dirty=True, notice=notice)
    session.commit()
    _said(change, is_published)
    if not wants_fragment():
        return redirect(url_for(".edit", slug=slug, lang=locale), code=303)
    kept = words_in(find_page(session, slug), slug, locale, g.store)
    return _answer(slug, locale, kept, is_published, {})


@bp.post("/<slug:slug>/ready")
@require_staff("store.change")
def ready(slug: str) -> ResponseReturnValue:
    """Back to the ready text in one language."""
    locale = _locale(request.form.get("lang", ""))
    change = use_ready_text(db.session(), slug, locale=locale, actor=actor())
    db.session.commit()
    said_saved(change)
    return redirect(url_for(".edit", slug=slug, lang=locale), code=303)


@bp.post("/<slug:slug>/remove")
@require_staff("store.change")
def remove(slug: str) -> ResponseReturnValue:
    """Take a page of the shop's own away; Undo brings it back."""
    change = remove_page(db.session(), slug, actor=actor())
    db.session.commit()
    undo = url_for("office_changes.undo", change_id=change.id) if change else None
    toast(_("The page is gone."), undo=undo)
    return redirect(url_for(".show"), code=303)


@bp.get("/<slug:slug>/preview")
@require_staff("store.see")
def preview(slug: str) -> ResponseReturnValue:
    """What was saved, as shoppers will see it, whether it is shown to them or not."""
    locale = _locale(request.args.get("lang", ""))
    page = find_page(db.session(), slug)
    words = words_in(page, slug, locale, g.store)
    is_published = page is not None and page.is_published
    with using_locale(locale):
        return render_template(
            "backoffice/page_preview.html",
            words=words,
            preview_words=_("This is how shoppers see it.")
            if is_published
            else _("A preview. Shoppers do not see this page yet."),
            back=url_for(".edit", slug=slug, lang=locale),
        )


def _said(change: Change | None, is_published: bool) -> None:
    if change is None or is_published:
        said_saved(change)
    else:
        toast(
            _("Saved. Shoppers do not see this page yet."),
            undo=url_for("office_changes.undo", change_id=change.id),
        )


def _answer(
    slug: str,
    locale: str,
    words: Words,
    is_published: bool,
    wrong: dict[str, str],
    *,
    is_dirty: bool = False,
    notice: str = "",
) -> ResponseReturnValue:
    """The editor again: a piece for htmx, the whole page without."""
    facts = _edit_facts(slug, locale, words, is_published)
    facts |= {"wrong": wrong, "is_dirty": is_dirty, "notice": notice}
    status = 422 if wrong or notice else 200
    if wants_fragment():
        return fragment("backoffice/_page_answer.html", status=status, **facts)
    return make_response(render_template("backoffice/page_edit.html", **facts), status)


def _list_facts() -> dict[str, Any]:
    session = db.session()
    rows = all_pages(session, current_locale())
    change = latest_change(session, "pages")
    return {
        "groups": [
            (_("Pages"), [row for row in rows if not row.is_policy]),
            (_("Policies"), [row for row in rows if row.is_policy]),
        ],
        "typed": {row.slug: row.is_published for row in rows},
        "change": change,
        "seen": change.id if change else "",
        "can_change": may("store.change"),
        "new": {},
        "wrong": {},
        "notice": "",
        "is_dirty": False,
        "shop_url": store_url(canonical_host(session), ""),
    }


def _edit_facts(slug: str, locale: str, words: Words, is_published: bool) -> dict[str, Any]:
    session = db.session()
    page = find_page(session, slug)
    change = latest_change(session, "page", subject=slug)
    return {
        "slug": slug,
        "locale_here": locale,
        "languages": [(code, LANGUAGE_WORDS[code]) for code in LOCALES],
        "words": words,
        "is_published": is_published,
        "is_ready": slug in READY,
        "is_policy": slug in POLICIES,
        "is_own_words": page is not None and locale in page.content,
        "kinds": [(kind, BLOCK_WORDS[kind]) for kind in KINDS],
        "kind_words": BLOCK_WORDS,
        "change": change,
        "seen": change.id if change else "",
        "can_change": may("store.change"),
        "wrong": {},
        "notice": "",
        "is_dirty": False,
        "address": store_url(canonical_host(session), f"/pages/{slug}"),
    }


def _typed_blocks(form: Mapping[str, str], wrong: dict[str, str]) -> list[Block]:
    """The parts as typed, in their order; a picture that was sent with one is kept at once."""
    blocks: list[Block] = []
    for at in range(MOST_BLOCKS + 1):
        kind = form.get(f"b{at}-type", "")
        if kind not in KINDS:
            continue
        block: Block = {"type": kind}
        block |= {name: form[f"b{at}-{name}"] for name in _FIELDS if f"b{at}-{name}" in form}
        sent = request.files.get(f"b{at}-file")
        if kind == "picture" and sent is not None and sent.filename:
            try:
                block |= keep_small_picture(
                    sent.stream.read(MAX_BYTES + 1),
                    f"b{len(blocks)}",
                    side=PICTURE_SIDE,
                    media_dir=current_app.config["SETTINGS"].media_dir,
                )
            except FieldProblem as problem:
                wrong[problem.field] = str(problem)
        blocks.append(_as_shown(block))
    return blocks


def _as_shown(block: Block) -> Block:
    """A typed part with what the editor and the page need of it; unfinished ones stay typed."""
    return {**block, **(clean_block(block) or {})}


def _rearrange(blocks: list[Block], do: str, wrong: dict[str, str]) -> None:
    """Do one small button's work on the list: ``up:2``, ``down:2``, ``out:2``, ``add:text``."""
    verb, _colon, what = do.partition(":")
    if verb == "add":
        if what in KINDS and len(blocks) < MOST_BLOCKS:
            blocks.append({"type": what})
        return
    wrong.clear()  # its places move with the parts; Save looks at all of them again
    if not (what.isascii() and what.isdigit() and int(what[:3]) < len(blocks)):
        return
    at = int(what)
    block = blocks.pop(at)
    if verb == "up":
        blocks.insert(max(0, at - 1), block)
    elif verb == "down":
        blocks.insert(at + 1, block)
    elif verb != "out":
        blocks.insert(at, block)


def _locale(text: str) -> str:
    return text if text in LOCALES else current_locale()
