"""The two demo stores: who they are, where they deliver and what they sell.

Everything is invented. Prices are whole shillings kept in cents; area slugs are those of
`app/domain/delivery/areas.csv`.
"""

from __future__ import annotations

from datetime import time

from local.demo import goods_electronics, goods_fashion
from local.demo.goods import (
    AreaTerms,
    DemoCategory,
    DemoProduct,
    DemoStore,
    DemoVariant,
    Opening,
    PaymentAccount,
    PictureSpec,
    build,
)

__all__ = [
    "DAKIKA",
    "PAMBA",
    "STORES",
    "AreaTerms",
    "DemoCategory",
    "DemoProduct",
    "DemoStore",
    "DemoVariant",
    "Opening",
    "PaymentAccount",
    "PictureSpec",
]


def _areas(own_fees: dict[str, int], usual: str) -> tuple[AreaTerms, ...]:
    """Areas with a fee of the store's own (whole shillings), then those with the usual one."""
    own = [AreaTerms(area=slug, fee_cents=kes * 100) for slug, kes in own_fees.items()]
    return (*own, *(AreaTerms(area=slug) for slug in usual.split()))


def _week(
    opens: int, closes: int, *, saturday: int, sunday: tuple[int, int]
) -> tuple[Opening, ...]:
    days = [Opening(weekday=day, opens=time(opens), closes=time(closes)) for day in range(5)]
    days.append(Opening(weekday=5, opens=time(opens), closes=time(saturday)))
    days.append(Opening(weekday=6, opens=time(sunday[0]), closes=time(sunday[1])))
    return tuple(days)


DAKIKA = DemoStore(
    slug="dakika",
    name="Dakika na Waya",
    till_name="DAKIKA NA WAYA",
    kind="Electronics and watches",
    tagline="Watches, sound and power, tested before they leave the counter.",
    place="Stall B6, first floor, Munyu Road, Nairobi",
    phone="+254110000110",
    whatsapp="+254700000110",
    email="habari@dakika.example",
    opening=_week(8, 19, saturday=18, sunday=(10, 15)),
    colour="#0d5660",
    hue=205,
    return_days=7,
    warranty="12-month warranty. The serial number is on your receipt.",
    account=PaymentAccount(kind="till", number="5600117", store_number="600117"),
    pay_on_delivery=False,
    pickup="Collect at Stall B6, Munyu Road, ready in an hour. Free.",
    free_over_cents=8_000_00,
    same_day_until=time(15),
    order_prefix="DW",
    areas=_areas(
        {
            "nairobi-cbd": 150,
            "luthuli-avenue": 100,
            "river-road": 100,
            "ngara": 150,
            "kilimani": 250,
            "westlands": 300,
            "south-b": 200,
            "south-c": 200,
            "umoja-1": 300,
            "kasarani": 350,
            "ongata-rongai": 400,
            "ruaka": 380,
        },
        "kileleshwa lavington parklands eastleigh pangani roysambu kahawa-west thika-road-mall "
        "zimmerman githurai-44 githurai-45 embakasi donholm buruburu umoja-2 umoja-innercore "
        "langata karen hurlingham upper-hill community madaraka nairobi-west hazina "
        "imara-daima pipeline tassia fedha kayole komarock dandora kariobangi-south ruaraka "
        "baba-dogo huruma mathare kangemi kawangware riruta dagoretti-corner kibera ngumo "
        "industrial-area mombasa-road syokimau kikuyu utawala",
    ),
    categories=goods_electronics.CATEGORIES,
    products=build(goods_electronics.ENTRIES, sku_prefix="DW"),
)

PAMBA = DemoStore(
    slug="pamba",
    name="Pamba na Nyumba",
    till_name="PAMBA NA NYUMBA",
    kind="Fashion and home",
    tagline="Clothes, shoes and things for the house, made or chosen in Nairobi.",
    place="Shop 22, Biashara Lane, Nairobi",
    phone="+254110000220",
    whatsapp="+254700000220",
    email="karibu@pamba.example",
    opening=_week(9, 18, saturday=17, sunday=(11, 16)),
    colour="#7a2e42",
    hue=5,
    return_days=14,
    warranty="Change of size within 14 days, with the label on.",
    account=PaymentAccount(kind="paybill", number="600214"),
    pay_on_delivery=True,
    pickup="Collect at Shop 22, Biashara Lane, the same day. Free.",
    free_over_cents=5_000_00,
    same_day_until=time(14),
    order_prefix="PN",
    areas=_areas(
        {
            "nairobi-cbd": 120,
            "biashara-street": 80,
            "parklands": 220,
            "westlands": 250,
            "kilimani": 250,
            "lavington": 280,
            "karen": 400,
            "langata": 320,
            "south-c": 220,
            "thika": 550,
            "kitengela": 500,
            "ngong-town": 480,
        },
        "kileleshwa highridge riverside spring-valley loresho lower-kabete kitisuru peponi "
        "gigiri runda rosslyn muthaiga ridgeways garden-estate thome marurui roysambu "
        "kahawa-wendani kahawa-sukari thindigua kiambu-town ruaka two-rivers banana south-b "
        "hurlingham yaya-centre valley-arcade jamhuri woodley ngong-road racecourse hardy bomas "
        "eastleigh pangani ngara buruburu donholm umoja-1 embakasi syokimau athi-river ruiru juja "
        "ongata-rongai kiserian kikuyu kinoo",
    ),
    categories=goods_fashion.CATEGORIES,
    products=build(goods_fashion.ENTRIES, sku_prefix="PN"),
)

STORES = (DAKIKA, PAMBA)
