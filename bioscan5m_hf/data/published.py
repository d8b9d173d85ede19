"""What is published about the contents of BIOSCAN-5M: counts that a build of the real release must reproduce.

Splits are in `bioscan5m_hf.splits`. All numbers are those of the README files of `bioscan-ml/BIOSCAN-5M` and their
figures (commit 97f68a6).
"""

from __future__ import annotations

from typing import NamedTuple


class Attribute(NamedTuple):
    """An attribute's line in the published table.

    Args:
        categories: number of different values.
        labelled: records with a value.
        imbalance_ratio: size of the largest category over that of the smallest, cut off to an integer.
    """

    categories: int
    labelled: int
    imbalance_ratio: int


ATTRIBUTES = {
    "phylum": Attribute(1, 5_150_850, 1),
    "class": Attribute(10, 5_146_837, 719_831),
    "order": Attribute(55, 5_134_987, 3_675_317),
    "family": Attribute(934, 4_932_774, 938_928),
    "subfamily": Attribute(1_542, 1_472_548, 323_146),
    "genus": Attribute(7_605, 1_226_765, 200_268),
    "species": Attribute(22_622, 473_094, 7_694),
    "dna_bin": Attribute(324_411, 5_137_441, 35_458),
    "dna_barcode": Attribute(2_486_492, 5_150_850, 3_743),
}


class Diversity(NamedTuple):
    """A rank's line in the published table of barcodes.

    Args:
        barcodes: different barcodes of the records with a label.
        mean: of the different barcodes of a group, as printed; None where there is one group.
        median: of them.
        std: of them.
        shannon: index in bits, averaged over groups, with two decimals.
    """

    barcodes: int
    mean: int | None
    median: int | None
    std: int | None
    shannon: float


DIVERSITY = {
    "phylum": Diversity(2_486_492, None, None, None, 19.78),
    "class": Diversity(2_482_891, 248_289, 177, 725_237, 8.56),
    "order": Diversity(2_474_855, 44_997, 57, 225_098, 7.05),
    "family": Diversity(2_321_301, 2_485, 46, 19_701, 5.42),
    "subfamily": Diversity(657_639, 426, 17, 3_726, 4.28),
    "genus": Diversity(531_109, 70, 5, 1_061, 2.63),
    "species": Diversity(202_260, 9, 2, 37, 1.46),
    "dna_bin": Diversity(2_474_881, 8, 2, 40, 1.29),
}

ORDERS = {
    "Insecta": {
        "Diptera": 3_675_317,
        "Hymenoptera": 574_049,
        "Hemiptera": 264_540,
        "Coleoptera": 252_145,
        "Lepidoptera": 181_065,
        "Psocodea": 46_106,
        "Thysanoptera": 16_088,
        "Trichoptera": 8_961,
        "Neuroptera": 6_253,
        "Blattodea": 5_529,
        "Orthoptera": 5_182,
        "Ephemeroptera": 621,
        "Plecoptera": 383,
        "Archaeognatha": 343,
        "Dermaptera": 305,
        "Strepsiptera": 177,
        "Embioptera": 66,
        "Mantodea": 26,
        "Megaloptera": 25,
        "Odonata": 17,
        "Zygentoma": 16,
        "Phasmatodea": 15,
        "Zoraptera": 10,
        "Siphonaptera": 6,
        "Raphidioptera": 2,
    },
    "Arachnida": {
        "Araneae": 25_020,
        "Trombidiformes": 14_214,
        "Sarcoptiformes": 5_645,
        "Mesostigmata": 4_689,
        "Pseudoscorpiones": 382,
        "Opiliones": 211,
        "Ixodida": 85,
        "Solifugae": 30,
    },
    "Collembola": {
        "Entomobryomorpha": 35_982,
        "Symphypleona": 7_514,
        "Poduromorpha": 2_924,
    },
    "Malacostraca": {
        "Amphipoda": 286,
        "Isopoda": 172,
        "Mysida": 15,
        "Cumacea": 1,
    },
    "Diplopoda": {
        "Polyxenida": 50,
        "Polydesmida": 7,
        "Chordeumatida": 2,
        "Julida": 1,
    },
    "Branchiopoda": {
        "Anomopoda": 235,
        "Anostraca": 33,
        "Onychopoda": 21,
        "Notostraca": 2,
    },
    "Chilopoda": {
        "Lithobiomorpha": 82,
        "Scutigeromorpha": 31,
        "Geophilomorpha": 3,
    },
    "Copepoda": {
        "Calanoida": 75,
        "Cyclopoida": 18,
    },
    "Ostracoda": {
        "Podocopida": 5,
    },
    "Diplura": {
        "Rhabdura": 5,
    },
}
"""Class → order → records; records without an order are not in it."""

COUNTRIES = {
    "Costa Rica": 3_256_316,
    "South Africa": 322_096,
    "United States": 281_411,
    "Thailand": 152_975,
    "Pakistan": 126_990,
    "Canada": 117_599,
    "Tanzania": 108_945,
    "Ecuador": 104_676,
    "Australia": 90_664,
    "Suriname": 82_842,
    "Norway": 60_925,
    "Mexico": 46_982,
    "Ghana": 38_256,
    "Colombia": 34_444,
    "Sweden": 27_912,
    "Lebanon": 27_744,
    "Peru": 26_656,
    "Portugal": 25_780,
    "Philippines": 24_708,
    "Argentina": 24_626,
    "Finland": 19_978,
    "Egypt": 19_841,
    "Vietnam": 16_395,
    "Bangladesh": 15_352,
    "New Zealand": 14_184,
    "Mozambique": 12_217,
    "Gabon": 11_942,
    "Germany": 11_310,
    "Montenegro": 10_869,
    "Namibia": 10_278,
    "Georgia": 9_205,
    "Brazil": 7_427,
    "Madagascar": 4_359,
    "Austria": 711,
    "Italy": 701,
    "Czech Republic": 515,
    "Albania": 379,
    "United Kingdom": 376,
    "Russia": 361,
    "Antigua and Barbuda": 358,
    "Sao Tome and Principe": 356,
    "Spain": 345,
    "Chile": 329,
    "France": 261,
    "Cameroon": 203,
    "Bulgaria": 33,
    "Japan": 10,
}
"""Country → records; 8 records have none."""
