"""Dukani in Swahili, whole: nothing the source says is missing from the catalogue, or said wrongly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from flask import Flask
from flask.testing import FlaskClient

from app import i18n
from app.domain.changes import actions as changes
from app.domain.delivery.promises import Promise, minutes_words, promise_words, time_words
from app.domain.messaging.words import SENTENCES, OrderFacts, code_message, order_message
from app.domain.payments.actions import ACTIONS
from app.domain.payments.queries import ADVICE
from app.i18n import build, gettext, ngettext, using_locale
from app.web.backoffice import audit
from app.web.backoffice import words as desk
from app.web.storefront.words import clock_words, hours_words
from app.web.tenancy import requested_language
from local import translations
from local.translations import CATALOGUE, extracted, forms, missing, places_of_words, read_catalogue
from tests.contracts.source import calls
from tests.swahili_spelling import is_swahili, words_of

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
# The parts of the alphabet of a plain SMS. One letter outside makes every part 70 letters.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
KEPT = (
    "M-Pesa",
    "WhatsApp",
    "SMS",
    "PIN",
    "Dukani",
    "KES",
    "QR",
    "KRA",
    "CSV",
    "ZIP",
    "VAT",
    "SKU",
)


@pytest.fixture(scope="module")
def words() -> Catalog:
    """What the source says now."""
    return extracted()


@pytest.fixture(scope="module")
def swahili() -> Catalog:
    """The catalogue of the checkout."""
    return read_catalogue()


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """A process compiles the catalogue when it starts; this one may have started before a change."""
    build()
    i18n._catalogue.cache_clear()


def said(catalogue: Catalog) -> Iterator[tuple[Message, str, str]]:
    """Every entry with its English and its Swahili, one of each per plural form."""
    for message in catalogue:
        if message.id:
            english = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            yield from ((message, e, s) for e, s in zip(english, forms(message), strict=True))


@pytest.mark.row("W60")
def test_every_message_of_the_source_has_its_swahili(words: Catalog, swahili: Catalog) -> None:
    assert len(words) > 2_000
    assert [*missing(swahili, words)] == []


@pytest.mark.row("W60")
def test_no_text_is_said_both_alone_and_as_one_of_many() -> None:
    """A catalogue keeps both as one entry, in which Python 3.11.2 finds nothing for the first."""
    alone: dict[tuple[str, str | None], str] = {}
    counted = set()
    for file, _line, text, _comments, context in places_of_words():
        if isinstance(text, str):
            alone[text, context] = file
        else:
            counted.add((text[0], context))

    assert {text: file for text, file in alone.items() if text in counted} == {}


@pytest.mark.row("W60")
def test_what_is_missing_is_found_whatever_way_it_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("app", "tasks", "templates"):
        (tmp_path / folder).mkdir()
    (tmp_path / "app" / "a.py").write_text(
        'from app.i18n import gettext_lazy as _\nA = _("Whole")\nB = _("Empty")\nC = _("Doubtful")\n'
        'D = pgettext("evening", "Whole")\nE = gettext_noop("Later")\n'
    )
    (tmp_path / "templates" / "b.html").write_text(
        '{{ ngettext("%(n)s bag", "%(n)s bags", n) }}{{ ngettext("%(n)s box", "%(n)s boxes", n) }}'
    )
    catalogue = Catalog(locale="sw")
    catalogue.add("Whole", "Nzima")
    catalogue.add("Empty", "")
    catalogue.add("Doubtful", "Shaka", flags=["fuzzy"])
    catalogue.add(("%(n)s bag", "%(n)s bags"), ("mfuko %(n)s", ""))
    catalogue.add(("%(n)s box", "%(n)s boxes"), ("kisanduku %(n)s", "visanduku %(n)s"))
    catalogue.add("Gone", "Imeondoka")

    found = {*missing(catalogue, extracted(tmp_path))}

    assert found == {
        "empty: 'Empty'",
        "fuzzy: 'Doubtful'",
        "new: [evening] 'Whole'",
        "new: 'Later'",
        "empty: '%(n)s bag'",
        "not said any more: 'Gone'",
    }
    monkeypatch.setattr(translations, "missing", lambda *_: iter(found))
    assert translations.main(["--check"]) == 1
    assert "new: 'Later'" in capsys.readouterr().out


def test_the_catalogue_is_written_in_the_one_way_that_merges(
    tmp_path: Path, swahili: Catalog
) -> None:
    again = tmp_path / "messages.po"
    translations.write_catalogue(translations.updated(swahili, extracted()), again)

    assert again.read_bytes() == CATALOGUE.read_bytes(), "bin/manage translations --update"


@pytest.mark.row("W60")
def test_every_translation_has_the_same_places_to_fill(swahili: Catalog) -> None:
    wrong = []
    for message, english, other in said(swahili):
        wanted, has = {*PLACEHOLDER.findall(english)}, {*PLACEHOLDER.findall(other)}
        wanted -= {"%(hour)s"} if message.context else set()  # Swahili counts from dawn instead
        if wanted != has - {"%(dawn_hour)s"} or english.count("%%") != other.count("%%"):
            wrong.append((english, other))
        if "python-format" in message.flags:
            assert other % dict.fromkeys(re.findall(r"%\((\w+)\)", other), "1")

    assert wrong == []


def test_sentences_end_alike_and_names_stay(swahili: Catalog) -> None:
    wrong = [
        (english, other)
        for _, english, other in said(swahili)
        if (english[-1:] in ".?:…" and english[-1:] != other[-1:])
        or (english[-1:] not in ".?:…" and other[-1:] in ".?:…")
        or other != other.strip()
        or "  " in other
        or any(re.search(rf"\b{name}s?\b", english) and name not in other for name in KEPT)
    ]

    assert wrong == []


@pytest.mark.shared
def test_every_word_is_spelled_as_the_speller_knows_it(shared_dir: Path, swahili: Catalog) -> None:
    known = shared_dir / "data" / "language" / "sw_TZ.dic"
    unknown = {
        word: other
        for _, _, other in said(swahili)
        for word in words_of(other)
        if not is_swahili(word, known)
    }

    assert unknown == {}
    assert not is_swahili("kikapo", known)
    assert not is_swahili("umelpia", known)


def test_a_changed_catalogue_is_compiled_anew_and_an_unchanged_one_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "sw" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source, compiled = folder / "messages.po", folder / "messages.mo"
    source.write_text('msgid "Paid"\nmsgstr "Imelipwa"\n')
    build(tmp_path)
    first = compiled.stat().st_mtime_ns
    build(tmp_path)
    assert compiled.stat().st_mtime_ns == first

    source.write_text('msgid "Paid"\nmsgstr "Umelipa"\n')
    build(tmp_path)
    assert b"Umelipa" in compiled.read_bytes()
    compiled.write_bytes(b"torn")
    build(tmp_path)
    assert b"Umelipa" in compiled.read_bytes()
    assert {path.name for path in folder.iterdir()} == {"messages.po", "messages.mo"}


# -- forms, dates, hours ---------------------------------------------------------------


@pytest.mark.row("W60")
@pytest.mark.parametrize(
    ("clock", "spoken"),
    [
        (time(6), "saa 12 asubuhi"),
        (time(8, 30), "saa 2:30 asubuhi"),
        (time(12), "saa 6 mchana"),
        (time(13), "saa 7 mchana"),
        (time(18), "saa 12 jioni"),
        (time(19), "saa 1 usiku"),
        (time(0, 15), "saa 6:15 usiku"),
        (time(3), "saa 9 usiku"),
    ],
)
def test_hours_count_from_dawn(clock: time, spoken: str) -> None:
    with using_locale("sw"):
        assert time_words(clock) == spoken
        assert clock_words(clock) == spoken.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.row("W60")
def test_days_spans_and_plurals_have_their_swahili_forms() -> None:
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday noon in Nairobi
    by_six = Promise(datetime(2026, 11, 23, 15, tzinfo=UTC), date(2026, 11, 23), time(18))
    with using_locale("sw"):
        assert promise_words(by_six, now) == "leo kabla ya saa 12 jioni"
        later = Promise(datetime(2026, 11, 26, 10, tzinfo=UTC), date(2026, 11, 26), time(13))
        assert promise_words(later, now) == "Alhamisi kabla ya saa 7 mchana"
        assert plain(hours_words({"mon": ["08:00", "19:00"], "tue": ["08:00", "19:00"]})) == (
            "Jumatatu hadi Jumanne, saa 2 asubuhi hadi saa 1 usiku"
        )
        assert plain(desk.day(now)) == "Jtatu 23 Nov"
        assert plain(desk.lasted(timedelta(hours=1, minutes=10))) == "saa 1 dak 10"
        assert plain(minutes_words(45)) == "dak 45"
        assert ngettext("%(n)s item", "%(n)s items", 1) == "Kitu 1"
        assert ngettext("%(n)s item", "%(n)s items", 3) == "Vitu 3"
    assert plain(desk.day(now)) == "Mon 23 Nov"
    assert plain(clock_words(time(19))) == "7 pm"


@pytest.mark.row("W60")
@pytest.mark.parametrize(
    ("english", "spoken"),
    [
        ("Add to cart", "Weka kikapuni"),
        ("View cart", "Tazama kikapu"),
        ("Check out", "Lipia oda"),
        ("M-Pesa phone number", "Namba ya simu ya M-Pesa"),
        ("Delivery area", "Eneo la kuletewa"),
        ("Landmark near you", "Alama ya karibu"),
        ("Pay %(total)s with M-Pesa", "Lipa %(total)s na M-Pesa"),
        ("Your phone will show %(name)s", "Simu yako itaonyesha %(name)s"),
        ("Sending it to your phone", "Tunatuma kwa simu yako"),
        ("Enter your M-Pesa PIN", "Weka PIN yako ya M-Pesa"),
        ("On your phone only. Never type it on a page.", "Kwenye simu tu. Usiiandike kwenye ukurasa wowote."),
        ("Nothing was taken.", "Hakuna pesa zilizotolewa."),
        ("Your cart is empty", "Kikapu chako hakina kitu"),
        ("Deliver to", "Tunaleta"),
    ],
)  # fmt: skip
def test_the_words_that_were_agreed_are_the_words(english: str, spoken: str) -> None:
    with using_locale("sw"):
        assert gettext(english) == spoken


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


# -- messages --------------------------------------------------------------------------


def sms_parts(text: str) -> int:
    """How many SMS a plain text is."""
    assert set(text) <= GSM_7, (text, set(text) - GSM_7)
    return 1 if len(text) <= 160 else -(-len(text) // 153)


@pytest.mark.row("W60")
@pytest.mark.parametrize("locale", ["en", "sw"])
def test_every_sms_about_an_order_is_plain_and_fits_two_parts(locale: str) -> None:
    facts = OrderFacts(
        store="Duka la Mama Njeri Kawangware",
        code="KT-10428",
        link="https://mama-njeri-kawangware.dukani.co.ke/o/0123456789abcdef0123456789abcdef",
        total_cents=249_950_00,
        area="Kawangware",
        receipt="SLK4H7R2QX",
        rider="Kipchumba Wanyonyi",
    )
    said_before = set()
    with using_locale(locale):
        for kind in SENTENCES:
            text = order_message(kind, facts)
            assert sms_parts(text) <= 2, text
            assert facts.link in text
            assert facts.code in text
            said_before.add(text)
        assert sms_parts(code_message("482913")) == 1
    assert len(said_before) >= len(SENTENCES) - 2  # the receipt and the rider have a form each


@pytest.mark.parametrize("english", [
    "%(name)s invites you to work at %(store)s as %(role)s. Open this within 48 hours: %(link)s",
    "%(store)s: %(what)s Not you? Sign out everywhere, change your PIN and call us.",
    "%(store)s: %(who)s reset the PIN of %(name)s. They set a new one after a code to their phone.",
    "Dukani: your PIN was set. Not you? Sign out everywhere and reset it.",
    "Dukani: a passkey was added to your account. Not you? Remove it at once.",
    ("Dukani: %(what)s were tried for %(name)s. We locked it. A code to their own phone opens it."
     " If that was not them, look at the team and sign them out."),
])  # fmt: skip
def test_every_sms_to_staff_is_plain_and_fits_two_parts(english: str) -> None:
    long = {
        "name": "Wanjiku Kamau", "who": "Otieno Odhiambo", "store": "Duka la Mama Njeri",
        "role": "Msimamizi wa mizigo", "link": "https://dukani.co.ke/invite/0123456789abcdef0123456789abcdef",
        "what": "Otieno Odhiambo amebadilisha funguo za M-Pesa (174379).",
    }  # fmt: skip
    with using_locale("sw"):
        assert gettext(english) != english
        assert sms_parts(gettext(english, **long) if "%(" in english else gettext(english)) <= 2


@pytest.mark.row("M6", "W60")
def test_every_result_of_a_prompt_is_a_sentence_in_both_languages() -> None:
    english = {code: (str(title), str(words)) for code, (_, title, words) in ADVICE.items()}
    with using_locale("sw"):
        spoken = {code: (str(title), str(words)) for code, (_, title, words) in ADVICE.items()}

    assert len(english) >= 15
    for code, (title, words) in spoken.items():
        assert title != english[code][0], code
        assert words != english[code][1], code
        assert len(title) <= 45, title
        assert words.endswith("."), words
        assert len(code) < 3 or code not in words, words


@pytest.mark.row("W60")
def test_every_entry_of_the_trail_is_a_sentence(app: Flask) -> None:
    """What is written to the audit trail is read by owners: an id is no words for it."""
    recorded = {
        argument.value
        for _, call in calls("record")
        for argument in call.args[:2]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
    recorded |= {f"review.{action}" for actions in ACTIONS.values() for action in actions}
    recorded |= {
        f"{kind}.{what}" for kind in changes._put_back for what in ("changed", "taken_back")
    }

    assert len(recorded) > 50
    assert recorded - audit.SENTENCES.keys() == set()


# -- which language --------------------------------------------------------------------


@pytest.mark.row("W60")
@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "spoken"),
    [
        pytest.param("sw", "en", "en-KE", "sw", id="an address that names it comes first"),
        pytest.param("en", "sw", "sw", "en", id="also for English"),
        pytest.param("", "sw", "en-KE,en;q=0.9", "sw", id="then what the person chose"),
        pytest.param("", "en", "sw", "en", id="also for English, in a Swahili browser"),
        pytest.param("", "", "sw-KE,sw;q=0.9,en;q=0.8", "sw", id="then the browser"),
        pytest.param("", "", "en-GB,sw;q=0.5", "en", id="in the browser's order"),
        pytest.param("", "", "fr-FR,sw;q=0.1", "sw", id="the first it knows of ours"),
        pytest.param("", "", "fr-FR,de", "en", id="else English"),
        pytest.param("", "", "", "en", id="nothing said"),
        pytest.param("fr", "xx", "sw", "sw", id="what we lack was not said"),
        pytest.param("SW", "<script>", ";;q=,*;q=0", "en", id="junk is no language"),
    ],
)
def test_the_language_is_chosen_by_address_then_choice_then_browser(
    query: str, cookie: str, accepted: str, spoken: str
) -> None:
    assert requested_language(query, cookie, accepted) == spoken


@pytest.mark.row("W60")
def test_the_switch_is_kept_and_leads_back_to_the_same_page(client: FlaskClient) -> None:
    here = client.get("/deliver-to")
    assert '<html lang="en">' in here.text
    assert 'action="/language"' in here.text

    referrer = {"Referer": f"https://{client.host}:8000/deliver-to?area=kilimani&lang=en"}  # type: ignore[attr-defined]
    answer = client.post("/language", data={"to": "sw"}, headers=referrer)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/deliver-to?area=kilimani"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-lang=sw;")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {
        part.strip() for part in cookie.split(";")
    }
    swahili = client.get("/deliver-to")
    assert '<html lang="sw">' in swahili.text
    assert "Tulete wapi?" in swahili.text
    forced = client.get("/deliver-to?lang=en")
    assert '<html lang="en">' in forced.text
    assert "Where do we deliver?" in forced.text


@pytest.mark.parametrize(
    "referrer",
    [
        "",
        "https://evil.example/page",
        "https://[broken",
        "javascript:alert(1)",
    ],
)
def test_the_switch_never_leads_to_another_host(client: FlaskClient, referrer: str) -> None:
    answer = client.post("/language", data={"to": "<b>"}, headers={"Referer": referrer})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Set-Cookie"].startswith("__Host-lang=en;")
    twice = f"https://{client.host}:8000//evil.example"  # type: ignore[attr-defined]
    answer = client.post("/language", data={"to": "sw"}, headers={"Referer": twice})
    assert answer.headers["Location"] == "/evil.example"


def test_another_site_cannot_switch_it(client: FlaskClient) -> None:
    answer = client.post("/language", data={"to": "sw"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_the_desk_speaks_by_choice_and_then_by_browser(app: Flask) -> None:
    desk_client = app.test_client()
    on = {"base_url": "https://localhost:8000"}
    browser = {"Accept-Language": "sw-KE,sw;q=0.9"}
    page = desk_client.get("/sign-in", headers=browser, **on)
    assert '<html lang="sw">' in page.text
    assert ">English<" in page.text
    # The editor of pages names the language of the page it edits; that is not the desk's.
    assert '<html lang="sw">' in desk_client.get("/sign-in?lang=en", headers=browser, **on).text
    desk_client.post(
        "/language", data={"to": "en"}, headers={"Sec-Fetch-Site": "same-origin"}, **on
    )
    assert '<html lang="en">' in desk_client.get("/sign-in", headers=browser, **on).text


def test_a_language_is_loaded_when_it_is_first_spoken() -> None:
    i18n._catalogue.cache_clear()
    with using_locale("sw"):
        assert gettext("Paid") == "Imelipwa"
    assert gettext("Paid") == "Paid"
