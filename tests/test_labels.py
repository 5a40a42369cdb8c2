"""The names of the ImageNet classes: complete, different, in the order of the outputs."""

import re

from e2e_jax.labels import imagenet

# Independent of our file: indices that any ImageNet-1k label list agrees on.
KNOWN = {0: "tench", 1: "goldfish", 207: "golden retriever", 281: "tabby", 285: "Egyptian cat", 340: "zebra"}
KNOWN |= {657: "missile", 872: "tripod", 954: "banana", 967: "espresso", 999: "toilet tissue"}


def test_names_stand_at_their_indices():
    assert {index: imagenet()[index] for index in KNOWN} == KNOWN


def test_1000_names_differ_even_without_case():
    assert len({name.casefold() for name in imagenet()}) == len(imagenet()) == 1000


def test_names_are_short_and_clean():
    wrong = [name for name in imagenet() if not re.fullmatch(r"[A-Za-z][A-Za-z0-9'. ()-]{1,33}", name)]
    assert wrong == []


def test_duplicates_of_wordnet_are_told_apart():
    assert [imagenet()[index] for index in (134, 517, 264, 474, 638, 639)] == [
        "crane (bird)",
        "crane (machine)",
        "Cardigan Welsh corgi",
        "cardigan",
        "maillot",
        "tank suit",
    ]


def test_list_is_read_once():
    assert imagenet() is imagenet()
