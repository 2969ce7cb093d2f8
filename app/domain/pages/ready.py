"""Ready texts, in English and in Swahili, with the shop's own facts filled in.

A page that nobody rewrote is made anew from these each time it is shown, so that it says the
return days and the phone of today. Each text is a start that an owner may change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.pages.blocks import Block, clean_block
from app.domain.stores.models import Store
from app.phones import national

POLICIES = ("returns", "delivery", "warranty", "privacy")
PAGES = ("about", "contact")
READY = (*PAGES, *POLICIES)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the texts say about a shop. Empty where the shop has not said it."""

    name: str
    place: str
    phone: str
    return_days: int
    has_pickup: bool
    has_pay_on_delivery: bool


@dataclass(frozen=True, kw_only=True)
class Words:
    """A page in one language."""

    title: str
    blocks: list[Block]


def facts_of(store: Store) -> Facts:
    return Facts(
        name=store.name,
        place=store.place,
        phone=national(store.phone) if store.phone else "",
        return_days=store.return_days,
        has_pickup=store.accepts_pickup,
        has_pay_on_delivery=store.accepts_pay_on_delivery,
    )


def ready_words(slug: str, locale: str, facts: Facts) -> Words:
    """The ready text of an address. Raises KeyError for one that has none."""
    title, raw = (_SWAHILI if locale == "sw" else _ENGLISH)[slug](facts)
    return Words(title=title, blocks=[b for block in raw if (b := clean_block(block))])


def ready_title(slug: str, locale: str) -> str:
    """Its title alone, which says nothing about a shop."""
    return (_SWAHILI_TITLES if locale == "sw" else _ENGLISH_TITLES)[slug]


_ENGLISH_TITLES = {
    "about": "About us",
    "contact": "Contact",
    "returns": "Returns",
    "delivery": "Delivery",
    "warranty": "Warranty",
    "privacy": "Privacy",
}
_SWAHILI_TITLES = {
    "about": "Kuhusu sisi",
    "contact": "Wasiliana nasi",
    "returns": "Kurudisha bidhaa",
    "delivery": "Uletaji",
    "warranty": "Dhamana",
    "privacy": "Faragha",
}

Made = tuple[str, list[Block]]


def _text(*sentences: str) -> Block:
    return {"type": "text", "text": " ".join(filter(None, sentences))}


def _heading(text: str) -> Block:
    return {"type": "heading", "text": text}


def _list(*items: str) -> Block:
    return {"type": "list", "text": "\n".join(filter(None, items))}


def _call(label: str) -> Block:
    return {"type": "call", "label": label}


def _chat(label: str, words: str) -> Block:
    return {"type": "chat", "label": label, "words": words}


# -- English ------------------------------------------------------------------------------


def _reach(facts: Facts) -> str:
    """How to reach the shop, as the end of a sentence; never with an empty place or number."""
    if facts.phone and facts.place:
        return f"call {facts.phone} or come to {facts.place}"
    if facts.phone:
        return f"call {facts.phone}"
    return f"come to {facts.place}" if facts.place else "answer any message we sent you"


def _about(facts: Facts) -> Made:
    where = f"You find us at {facts.place}." if facts.place else ""
    return _ENGLISH_TITLES["about"], [
        _text(f"{facts.name} sells online and delivers to your door.", where),
        _text("What you see here is what we have. The price, the delivery fee and the time are",
              "shown before you pay, and you pay with M-Pesa from your own phone."),
        _chat("Ask us on WhatsApp", "Hello, I have a question."),
    ]  # fmt: skip


def _contact(facts: Facts) -> Made:
    return _ENGLISH_TITLES["contact"], [
        _text(f"To reach {facts.name}, {_reach(facts)}."),
        _call("Call us"),
        _chat("Write on WhatsApp", "Hello, I have a question."),
        _text("If it is about an order, please give its code. It is on the order's page and in",
              "the message we sent."),
    ]  # fmt: skip


def _returns(facts: Facts) -> Made:
    title = _ENGLISH_TITLES["returns"]
    money = [
        _heading("Your money"),
        _text("Once the goods are back with us and in order, your money goes to the phone number",
              "that paid, within three working days."),
    ]  # fmt: skip
    if not facts.return_days:
        return title, [
            _text("We do not take goods back when you change your mind. If something is broken or",
                  "is not what you ordered, tell us on the day you receive it and we put it right",
                  "at our own cost."),
            _text(f"To tell us, {_reach(facts)}."),
            *money,
        ]  # fmt: skip
    days = "1 day" if facts.return_days == 1 else f"{facts.return_days} days"
    return title, [
        _text(f"You can return what you bought within {days} of receiving it."),
        _list(
            "It is unused and in the box or bag it came in.",
            "You have the order code or the receipt we sent to your phone.",
        ),
        _heading("How to return something"),
        _text(f"First {_reach(facts)}, with your order code. We agree with you how it comes back.",
              "If it was broken or wrong when it came, we pay for bringing it back."),
        *money,
        _heading("What cannot come back"),
        _text("Food, cosmetics, underwear and earphones that were opened, unless they were broken",
              "when they came."),
    ]  # fmt: skip


def _delivery(facts: Facts) -> Made:
    return _ENGLISH_TITLES["delivery"], [
        _text("A rider brings your order. Choose your area to see the fee and the time: both are",
              "shown before you pay, and neither grows afterwards."),
        _list(
            "The rider calls the number you ordered with, so please keep it on.",
            "Look at the goods before the rider leaves.",
            "You may pay when it arrives." if facts.has_pay_on_delivery else "",
            f"You may also collect at {facts.place}, free of charge."
            if facts.has_pickup and facts.place
            else "",
        ),
        _heading("When we are late"),
        _text(f"If the promised time has passed, {_reach(facts)}. If we cannot deliver at all, you",
              "get all your money back."),
    ]  # fmt: skip


def _warranty(facts: Facts) -> Made:
    return _ENGLISH_TITLES["warranty"], [
        _text("Goods with a warranty say how long it lasts on their own page. It begins on the day",
              "you receive them."),
        _list(
            "It covers faults that were made, not falls, water or repairs by others.",
            "Keep the receipt we sent to your phone: it is your proof.",
            "We repair it or give you the same thing; if neither is possible, your money.",
        ),
        _text(f"To use it, {_reach(facts)}, with your order code."),
    ]  # fmt: skip


def _privacy(facts: Facts) -> Made:
    return _ENGLISH_TITLES["privacy"], [
        _text(f"{facts.name} keeps only what an order needs: your phone number, your name if you",
              "give it, where to bring the goods, and what you bought and paid."),
        _list(
            "Our staff and the rider see it, to serve your order. We sell it to nobody.",
            "We never see your M-Pesa PIN.",
            "We send you messages about your order; offers only if you agreed to them.",
            "To stop offers, open Your phone (/me) in this shop and prove your number, or tell us.",
            "We keep records of sales for as long as the tax law asks.",
        ),
        _heading("What you may ask of us"),
        _text("Under Kenya's Data Protection Act you may ask what we keep about you, have it put",
              f"right, or have it deleted where the law lets us. For that, {_reach(facts)}."),
    ]  # fmt: skip


# -- Swahili ------------------------------------------------------------------------------


def _fikia(facts: Facts) -> str:
    if facts.phone and facts.place:
        return f"piga simu {facts.phone} au fika {facts.place}"
    if facts.phone:
        return f"piga simu {facts.phone}"
    return f"fika {facts.place}" if facts.place else "jibu ujumbe wowote tuliokutumia"


def _kuhusu(facts: Facts) -> Made:
    where = f"Duka letu lipo {facts.place}." if facts.place else ""
    return _SWAHILI_TITLES["about"], [
        _text(f"{facts.name} huuza mtandaoni na kukuletea hadi mlangoni.", where),
        _text("Unachoona hapa ndicho tulicho nacho. Bei, ada ya kuletewa na muda huonyeshwa kabla",
              "ya kulipa, na unalipa kwa M-Pesa kwa simu yako mwenyewe."),
        _chat("Tuulize kwa WhatsApp", "Habari, nina swali."),
    ]  # fmt: skip


def _wasiliana(facts: Facts) -> Made:
    return _SWAHILI_TITLES["contact"], [
        _text(f"Kuwasiliana na {facts.name}, {_fikia(facts)}."),
        _call("Tupigie simu"),
        _chat("Tuandikie kwa WhatsApp", "Habari, nina swali."),
        _text("Kama ni kuhusu oda, tafadhali taja namba ya oda. Ipo kwenye ukurasa wa oda na",
              "kwenye ujumbe tuliokutumia."),
    ]  # fmt: skip


def _kurudisha(facts: Facts) -> Made:
    title = _SWAHILI_TITLES["returns"]
    money = [
        _heading("Pesa zako"),
        _text("Bidhaa ikisharudi kwetu ikiwa sawa, pesa zinarudishwa kwa namba ya simu iliyolipa,",
              "ndani ya siku tatu za kazi."),
    ]  # fmt: skip
    if not facts.return_days:
        return title, [
            _text("Haturudishi bidhaa kwa sababu umebadili nia. Ikiwa imeharibika au si uliyoagiza,",
                  "tuambie siku hiyo hiyo uliyoipokea, nasi tutarekebisha kwa gharama yetu."),
            _text(f"Kutuambia, {_fikia(facts)}."),
            *money,
        ]  # fmt: skip
    days = "siku 1" if facts.return_days == 1 else f"siku {facts.return_days}"
    return title, [
        _text(f"Unaweza kurudisha ulichonunua ndani ya {days} tangu ulipokipokea."),
        _list(
            "Hakijatumika, na kiko kwenye kisanduku au mfuko wake.",
            "Una namba ya oda au risiti tuliyotuma kwa simu yako.",
        ),
        _heading("Jinsi ya kurudisha"),
        _text(f"Kwanza {_fikia(facts)}, ukiwa na namba ya oda. Tutakubaliana jinsi kitakavyorudi.",
              "Kama kilikuja kimeharibika au si chenyewe, gharama ya kurudisha ni yetu."),
        *money,
        _heading("Visivyorudishwa"),
        _text("Chakula, vipodozi, nguo za ndani na vipokea sauti vilivyofunguliwa, isipokuwa",
              "vilikuja vimeharibika."),
    ]  # fmt: skip


def _uletaji(facts: Facts) -> Made:
    return _SWAHILI_TITLES["delivery"], [
        _text("Mletaji atakuletea oda yako. Chagua eneo lako uone ada na muda: vyote",
              "huonyeshwa kabla ya kulipa, na haviongezeki baadaye."),
        _list(
            "Atapigia namba uliyoagizia, kwa hivyo tafadhali iwe hewani.",
            "Angalia bidhaa kabla hajaondoka.",
            "Unaweza kulipa oda ikifika." if facts.has_pay_on_delivery else "",
            f"Unaweza pia kuchukua {facts.place}, bila malipo ya kuletewa."
            if facts.has_pickup and facts.place
            else "",
        ),
        _heading("Tukichelewa"),
        _text(f"Muda tulioahidi ukipita, {_fikia(facts)}. Tukishindwa kabisa kuleta, unarudishiwa",
              "pesa zako zote."),
    ]  # fmt: skip


def _dhamana(facts: Facts) -> Made:
    return _SWAHILI_TITLES["warranty"], [
        _text("Bidhaa yenye dhamana huonyesha muda wake kwenye ukurasa wake. Inaanza siku",
              "uliyoipokea."),
        _list(
            "Inahusu hitilafu za utengenezaji, si kuanguka, maji au matengenezo ya wengine.",
            "Tunza risiti tuliyotuma kwa simu yako: ndiyo uthibitisho wako.",
            "Tunaitengeneza au kukupa nyingine kama hiyo; isipowezekana, pesa zako.",
        ),
        _text(f"Kuitumia, {_fikia(facts)}, ukiwa na namba ya oda."),
    ]  # fmt: skip


def _faragha(facts: Facts) -> Made:
    return _SWAHILI_TITLES["privacy"], [
        _text(f"{facts.name} huhifadhi tu kinachohitajika kwa oda: namba yako ya simu, jina lako",
              "ukilitoa, mahali pa kuleta, na ulichonunua na kulipia."),
        _list(
            "Wafanyakazi wetu na mletaji huviona ili kuhudumia oda. Hatumuuzii mtu.",
            "Hatuoni kamwe PIN yako ya M-Pesa.",
            "Tunakutumia ujumbe kuhusu oda yako; ofa ikiwa tu umekubali.",
            "Kusimamisha ofa, fungua Simu yako (/me) katika duka hili na uthibitishe namba yako, au tuambie.",
            "Tunahifadhi kumbukumbu za mauzo kwa muda ambao sheria ya kodi inataka.",
        ),
        _heading("Unachoweza kutuomba"),
        _text("Chini ya Sheria ya Ulinzi wa Data ya Kenya unaweza kuuliza tunachohifadhi kukuhusu,",
              f"kirekebishwe, au kifutwe pale sheria inaporuhusu. Kwa hilo, {_fikia(facts)}."),
    ]  # fmt: skip


_ENGLISH: dict[str, Callable[[Facts], Made]] = {
    "about": _about,
    "contact": _contact,
    "returns": _returns,
    "delivery": _delivery,
    "warranty": _warranty,
    "privacy": _privacy,
}
_SWAHILI: dict[str, Callable[[Facts], Made]] = {
    "about": _kuhusu,
    "contact": _wasiliana,
    "returns": _kurudisha,
    "delivery": _uletaji,
    "warranty": _dhamana,
    "privacy": _faragha,
}
