"""The people of the demo: staff, riders and customers. All are invented.

Phones are in +254 700 000 xxx and +254 110 000 xxx, each given out once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from local.demo.chance import chance


@dataclass(frozen=True, kw_only=True)
class Staff:
    name: str
    role: str
    phone: str
    email: str


@dataclass(frozen=True, kw_only=True)
class DemoRider:
    name: str
    phone: str
    plate: str


@dataclass(frozen=True, kw_only=True)
class Customer:
    name: str
    phone: str
    area: str
    landmark: str


@dataclass(frozen=True, kw_only=True)
class People:
    staff: tuple[Staff, ...]
    riders: tuple[DemoRider, ...]
    customers: tuple[Customer, ...]


HOMES: dict[str, dict[str, int]] = {
    "dakika": {
        "westlands": 6,
        "kilimani": 5,
        "south-b": 3,
        "umoja-1": 4,
        "kasarani": 3,
        "roysambu": 3,
        "donholm": 3,
        "eastleigh": 2,
        "ongata-rongai": 3,
        "south-c": 2,
        "embakasi": 2,
        "ngara": 2,
        "ruaka": 2,
        "kayole": 2,
    },
    "pamba": {
        "kilimani": 5,
        "parklands": 4,
        "westlands": 4,
        "lavington": 3,
        "karen": 3,
        "langata": 3,
        "kileleshwa": 3,
        "south-c": 3,
        "ruaka": 3,
        "buruburu": 2,
        "thika": 2,
        "kitengela": 2,
        "kahawa-sukari": 2,
        "syokimau": 2,
    },
}
"""How many customers of each store live where; also how often the area orders."""

LANDMARKS: dict[str, tuple[str, ...]] = {
    "westlands": (
        "Behind the Sarit end of Karuna Road, black gate",
        "Office block next to the petrol station, 4th floor reception",
        "Apartments facing the mosque on Parklands Road, ask for Block C",
        "Brown gate after the school, second left",
    ),
    "kilimani": (
        "Blue gate opposite the supermarket, ask the guard",
        "Apartment B12, the flats with the palm trees",
        "Two houses after the chemist, white wall",
        "Reception, ground floor, next to the bank",
    ),
    "south-b": ("Plainsview gate, house with a green roof", "Opposite the chief's camp, flat 3A"),
    "south-c": ("Near the mosque, court 5, house 12", "Bellevue side, grey gate by the kiosk"),
    "umoja-1": (
        "Opposite the market stage, flat above the hardware",
        "Kwa Chief, second plot from the water point",
        "Behind the clinic, door 7",
    ),
    "kasarani": (
        "Seasons stage, the yellow flats",
        "Next to the stadium gate 2, ask for mama Njeri",
    ),
    "roysambu": ("TRM side, Lumumba Drive, Block F", "Behind the mall, blue door, second floor"),
    "donholm": (
        "Phase 8, court with the swings, house 41",
        "Greenspan gate B, leave with the guard",
    ),
    "eastleigh": ("Section 3, shop 14 on the ground floor", "First avenue, next to the bakery"),
    "ongata-rongai": (
        "Tumaini stage, the gate with bougainvillea",
        "Kware road, opposite the church",
    ),
    "embakasi": ("Nyayo, gate C, court 212", "Opposite the depot, flats with red tiles"),
    "ngara": ("Next to the matatu stage, third floor, door 9", "Opposite the girls' school"),
    "ruaka": ("Joyland, the tall flats, A5", "Behind the quick mart, brown gate"),
    "kayole": ("Junction, above the chemist", "Soweto side, plot 120, ask for the caretaker"),
    "parklands": ("Third avenue, the flats beside the temple", "Opposite the clinic, gate 18"),
    "lavington": (
        "James Gichuru side, house 4, white gate",
        "Green court, leave at the sentry box",
    ),
    "karen": ("Bogani side, wooden gate after the bend", "Next to the nursery garden, bell works"),
    "langata": ("Otiende shops, court 9", "Opposite the church, house with solar panels"),
    "kileleshwa": ("Othaya side, Apartment C3", "Gate with the jacaranda, ask for the guard"),
    "buruburu": ("Phase 2, court next to the library", "Phase 5, house 230, black gate"),
    "thika": ("Section 9, near the blue water tank", "Makongeni stage, above the salon"),
    "kitengela": ("Milimani side, white flats behind the bank", "Yukos, gate with the lion"),
    "kahawa-sukari": ("Second avenue, house with the red roof", "Near the chapel, green gate"),
    "syokimau": ("Katani road, court 3, house 8", "Gateway side, Block D, D11"),
}

_FIRST = (
    "Grace",
    "Kevin",
    "Mercy",
    "Brian",
    "Faith",
    "Dennis",
    "Esther",
    "Peter",
    "Joyce",
    "Samuel",
    "Winnie",
    "Collins",
    "Purity",
    "Victor",
    "Caroline",
    "Moses",
    "Lydia",
    "Eric",
    "Beatrice",
    "Felix",
    "Naomi",
    "George",
    "Irene",
    "Stephen",
    "Damaris",
    "Tony",
    "Sharon",
    "Kelvin",
    "Rose",
    "Daniel",
    "Cynthia",
    "Elijah",
)
_LAST = (
    "Wanjiku",
    "Otieno",
    "Mutua",
    "Chebet",
    "Kamau",
    "Achieng",
    "Kiptoo",
    "Nyambura",
    "Wafula",
    "Muthoni",
    "Omondi",
    "Kilonzo",
    "Njoroge",
    "Barasa",
    "Moraa",
    "Mwangi",
    "Akinyi",
    "Rotich",
    "Ndungu",
    "Wekesa",
    "Nduku",
    "Karanja",
    "Ochieng",
    "Jepkosgei",
    "Musyoka",
    "Gathoni",
)
_FIRST_COAST = ("Fatuma", "Yusuf", "Halima", "Abdi", "Zainab", "Omar", "Amina", "Hassan")
_LAST_COAST = ("Abdalla", "Noor", "Said", "Hussein", "Bakari", "Mohamed", "Juma", "Athman")


def people_of(store_slug: str) -> People:
    """Everybody of a demo store. Raises KeyError for a store that the demo lacks."""
    homes = HOMES[store_slug]
    block = 100 * (1 + list(HOMES).index(store_slug))
    names = _names(store_slug)
    return People(
        staff=_staff(store_slug, names, block),
        riders=tuple(
            DemoRider(name=next(names), phone=_phone(110, block + 50 + i), plate=plate)
            for i, plate in enumerate(_plates(store_slug, 5))
        ),
        customers=tuple(_customers(names, homes, block)),
    )


def _staff(store_slug: str, names: Iterator[str], block: int) -> tuple[Staff, ...]:
    roles = ("owner", "manager", "packer", "packer", "dispatcher", "accountant")
    members = []
    for i, role in enumerate(roles):
        name = next(names)
        members.append(
            Staff(
                name=name,
                role=role,
                phone=_phone(700, block + 51 + i),
                email=f"{name.split()[0].lower()}@{store_slug}.example",
            )
        )
    return tuple(members)


def _customers(names: Iterator[str], homes: dict[str, int], block: int) -> Iterator[Customer]:
    number = 0
    for area, count in homes.items():
        for i in range(count):
            marks = LANDMARKS[area]
            yield Customer(
                name=next(names),
                phone=_phone(700 if number % 3 else 110, 300 + block * 2 + number),
                area=area,
                landmark=marks[i % len(marks)],
            )
            number += 1


def _names(store_slug: str) -> Iterator[str]:
    """Names without a repeat, in an order of the store's own."""
    luck = chance("names", store_slug)
    every = [f"{first} {last}" for first in _FIRST for last in _LAST]
    coast = [f"{first} {last}" for first in _FIRST_COAST for last in _LAST_COAST]
    luck.shuffle(every)
    luck.shuffle(coast)
    firsts: list[str] = []
    for i, name in enumerate(every):
        name = coast[i // 6] if i % 6 == 5 and i // 6 < len(coast) else name
        # The first dozen are staff and riders, whom people call by their first names.
        if len(firsts) < 12 and name.split()[0] in firsts:
            continue
        firsts.append(name.split()[0])
        yield name


def _plates(store_slug: str, count: int) -> list[str]:
    luck = chance("plates", store_slug)
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return [
        f"KM{luck.choice('FG')}{luck.choice(letters)} {luck.randint(100, 999)}"
        f"{luck.choice(letters)}"
        for _ in range(count)
    ]


def _phone(prefix: int, number: int) -> str:
    return f"+254{prefix}000{number:03d}"
