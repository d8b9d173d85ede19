"""The published counts of BIOSCAN-5M: they agree with each other, and a difference from them is told."""

import copy

from bioscan5m_hf.data.published import ATTRIBUTES, COUNTRIES, DIVERSITY, ORDERS
from bioscan5m_hf.data.statistics import Statistics, published_differences
from bioscan5m_hf.splits import OFFICIAL_SPECIMENS, SPLITS


def test_published_counts_agree_with_each_other():
    assert sum(sum(inside.values()) for inside in ORDERS.values()) == ATTRIBUTES["order"].labelled
    assert (len(ORDERS), sum(map(len, ORDERS.values()))) == (10, ATTRIBUTES["order"].categories)
    assert (len(COUNTRIES), sum(COUNTRIES.values())) == (47, OFFICIAL_SPECIMENS - 8)
    assert (
        sum(split.barcodes for split in SPLITS) == ATTRIBUTES["dna_barcode"].categories == DIVERSITY["phylum"].barcodes
    )
    assert max(ORDERS["Insecta"].values()) == ATTRIBUTES["order"].imbalance_ratio  # the smallest order has one record
    assert DIVERSITY["class"].mean == DIVERSITY["class"].barcodes // ATTRIBUTES["class"].categories


def as_published():
    """Give the statistics that the real release has, as far as they are published."""
    tables = {
        "attributes": [{"attribute": name, **line._asdict()} for name, line in ATTRIBUTES.items()],
        "splits": [
            {
                "split": split.name,
                "specimens": split.specimens,
                "barcodes": split.barcodes,
                "species": split.species or 0,
            }
            for split in SPLITS
        ],
        "diversity": [{"rank": rank, **line._asdict()} for rank, line in DIVERSITY.items()],
        "orders": [
            {"class": name, "order": order, "specimens": count}
            for name, inside in ORDERS.items()
            for order, count in inside.items()
        ],
        "countries": [{"country": country, "specimens": count} for country, count in COUNTRIES.items()],
    }
    return Statistics({"name": "bioscan-5m", "specimens": OFFICIAL_SPECIMENS, "invented": False}, tables)


def test_the_release_as_published_differs_in_nothing():
    assert published_differences(as_published()) == []


def test_numbers_that_round_to_the_published_ones_are_the_same():
    tables = copy.deepcopy(dict(as_published().tables))
    tables["attributes"][1]["imbalance_ratio"] = 5_038_818 / 7  # 719,831.14
    tables["diversity"][-1] |= {"mean": 2_474_881 / 324_411, "shannon": 1.2949}  # 7.6, printed as 8
    assert published_differences(Statistics(as_published().dataset, tables)) == []


def test_each_difference_is_told():
    tables = copy.deepcopy(dict(as_published().tables))
    tables["attributes"][6]["categories"] += 1
    tables["splits"][1]["barcodes"] -= 1
    tables["diversity"][0]["shannon"] = 19.8
    del tables["orders"][0]
    tables["countries"][46]["specimens"] = 11
    assert published_differences(Statistics(as_published().dataset, tables)) == [
        "species, categories: 22,623 here, 22,622 published",
        "split train, barcodes: 118,050 here, 118,051 published",
        "diversity of phylum, shannon: 19.80 here, 19.78 published",
        "order Diptera of Insecta: unknown here, 3,675,317 published",
        "country Japan: 11 here, 10 published",
    ]


def test_another_dataset_is_not_compared():
    found = as_published()
    assert published_differences(Statistics(found.dataset | {"specimens": 7}, found.tables)) is None
    assert published_differences(Statistics(found.dataset | {"invented": True}, found.tables)) is None
