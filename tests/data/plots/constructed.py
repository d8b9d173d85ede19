"""Statistics as pictures get them: BIOSCAN-5M's published counts, nothing at all, one specimen, names out to break."""

from bioscan5m_hf.data.published import COUNTRIES, ORDERS
from bioscan5m_hf.data.statistics import TABLES


HOSTILE = (
    "<script>alert('x')</script>",
    "$\\frac{1}{0}$ costs $5",
    "two\nlines\tand a bell \a and nothing \0",
    "昆虫 насекомое حشرة",
    "Aus " + "longissimusque" * 5,
    "50 % & more_of {that} \\n %s",
    " ",
)


def nothing(name="empty", specimens=0, invented=None):
    return {"dataset": {"name": name, "specimens": specimens, "invented": invented}, "notes": []} | {
        table: [] for table in TABLES
    }


def published():
    """Give orders and countries as they are published; families, sites and species are invented."""
    made = nothing("BIOSCAN-5M in published counts", 5_150_850)
    orders = [
        {"class": name, "order": order, "specimens": count}
        for name, inside in ORDERS.items()
        for order, count in inside.items()
    ]
    orders += [{"class": name, "order": None, "specimens": 2 + 7 * place} for place, name in enumerate(ORDERS)]
    orders.append({"class": None, "order": None, "specimens": 4_013})
    families = []
    for row in orders:
        left, number = row["specimens"], 0
        while left:
            part = left if number == 30 else -(-left // 3)
            families.append({**row, "family": f"{row['order'] or 'No'}{number}idae" if number else None})
            families[-1]["specimens"] = part
            left, number = left - part, number + 1
    splits = ("pretrain", "train", "test", "key_unseen", "other_heldout")
    found = {
        "orders": orders,
        "families": families,
        "countries": [
            {"country": country, "specimens": count, "provinces": 2, "sites": 1}
            for country, count in COUNTRIES.items()
        ],
        "sites": sites(),
        "species_frequency": [{"specimens": size, "species": max(1, 9_000 // size**2)} for size in range(1, 400, 7)],
        "split_orders": [
            {"split": split, "order": row["order"], "specimens": max(1, row["specimens"] // (9 + 3 * place))}
            for place, split in enumerate(splits)
            for row in orders
        ],
        "barcode_lengths": [
            {"length": length, "specimens": max(1, 4_000_000 // (1 + (length - 658) ** 2))}
            for length in range(180, 1_550, 3)
        ],
        "size_histograms": [
            {"column": column, "low": low, "high": low * 1.25, "specimens": round(1e5 / (1 + abs(place - 16)))}
            for column, first in (("image_measurement_value", 300.0), ("area_mm2", 0.02))
            for place, low in enumerate(first * 1.25**step for step in range(30))
        ],
        "sizes": [{"column": "image_measurement_value", "median": 9_000.0}, {"column": "area_mm2", "median": 0.6}],
        "distances": [
            distance(rank, f"{rank}{number} {'verylongname' * (number % 6)}", number)
            for rank in ("class", "order", "family", "subfamily", "genus", "species")
            for number in range({"class": 10, "order": 55}.get(rank, 300))
        ],
        "barcode_gap": [
            {"species": f"Aus bus{n}", "largest_within": (n % 40) / 400, "nearest_other": (n % 97) / 600}
            for n in range(3_000)
        ],
    }
    return made | found


def distance(rank, name, number=0, measure="p"):
    middle = 0.02 + 0.001 * (number % 150)
    ends = {"minimum": 0.0, "p5": 0.2, "quartile_1": 0.6, "median": 1.0, "quartile_3": 1.3, "p95": 1.8, "maximum": 2.4}
    about = {"measure": measure, "rank": rank, "name": name, "class": "Insecta", "order": "Diptera"}
    return (
        about
        | {"barcodes": 5 + number, "pairs": 10 * number + 1, "mean": middle, "std": 0.01}
        | {end: middle * factor for end, factor in ends.items()}
    )


def sites():
    """Scatter 1,650 sites over the land between the tropics and beyond; two lie in countries too small for the map."""
    made = [
        {
            "latitude": -35 + (number * 37 % 1_000) / 10,
            "longitude": -120 + (number * 73 % 2_700) / 10,
            "country": None,
            "specimens": 1 + 400_000 // (1 + number * 7 % 1_649),
        }
        for number in range(1_648)
    ]
    return [
        *made,
        {"latitude": 17.07, "longitude": -61.8, "country": "Antigua and Barbuda", "specimens": 358},
        {"latitude": 0.3, "longitude": 6.7, "country": "Sao Tome and Principe", "specimens": 356},
    ]


def hostile():
    """Give every table names that are out to break pictures and pages."""
    made = nothing(HOSTILE[0] + HOSTILE[1], 70, True)
    named = list(enumerate(HOSTILE, 1))
    return made | {
        "notes": [HOSTILE[0]],
        "orders": [{"class": name, "order": name, "specimens": count} for count, name in named],
        "families": [
            {"class": name, "order": name, "family": other, "specimens": 10 * count}
            for count, name in named
            for other in HOSTILE
        ],
        "split_orders": [{"split": "train", "order": name, "specimens": count} for count, name in named],
        "countries": [{"country": name, "specimens": count, "provinces": 1, "sites": 1} for count, name in named],
        "sites": [{"latitude": 95.0, "longitude": 0.0, "country": HOSTILE[0], "specimens": 3}],
        "distances": [distance(rank, name, 3) for rank in ("class", "order", "species") for name in HOSTILE],
    }


def specimen(**known):
    return {
        "processid": "MADE1-26",
        "class": "Insecta",
        "order": "Diptera",
        "family": "Phoridae",
        "species": "Megaselia",
        "coord-lat": 10.3,
        "coord-lon": -84.1,
        "country": "Costa Rica",
        "dna_barcode": "ACGTN" * 130,
    } | known
