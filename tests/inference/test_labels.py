"""Class names: the bundled lists against well-known members, and lists that do not fit."""

import pytest

from convcalc.errors import SpecError
from convcalc.inference.labels import labels


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "tench"), (1, "goldfish"), (207, "golden retriever"), (281, "tabby"), (282, "tiger cat"),
        (283, "Persian cat"), (285, "Egyptian cat"), (388, "giant panda"), (404, "airliner"),
        (817, "sports car"), (954, "banana"), (999, "toilet tissue"),
    ],
)  # fmt: skip
def test_imagenet(index, name):
    """ImageNet's challenge numbers its classes by their WordNet identifiers in order: fish first, paper last."""
    assert labels("imagenet1k", 1000)[index] == name


def test_imagenets_names_are_all_different():
    """torchvision tells the two cranes, the two maillots and the two missiles apart."""
    names = labels("imagenet1k", 1000)
    assert len(set(names)) == len(names) == 1000
    assert all(name == name.strip() and name.isprintable() for name in names)
    assert {"crane", "crane bird", "maillot", "missile", "projectile"} <= set(names)


@pytest.mark.parametrize(
    ("index", "name"),
    [(0, "abseiling"), (6, "arm wrestling"), (224, "playing chess"), (349, "tap dancing"), (399, "zumba")],
)
def test_kinetics(index, name):
    """Kinetics numbers its actions in the order of the alphabet."""
    names = labels("kinetics400", 400)
    assert names[index] == name
    assert len(set(names)) == len(names) == 400
    assert list(names) == sorted(names)


def test_digits():
    assert labels("digits", 10) == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


def test_cifar10():
    """The order of `batches.meta` in the data's own files: airplane is 0, truck 9."""
    names = labels("cifar10", 10)
    assert (names[0], names[3], names[5], names[9]) == ("airplane", "cat", "dog", "truck")
    assert len(set(names)) == 10


def test_names_in_the_spec():
    assert labels(("cat", "dog"), 2) == ("cat", "dog")


def test_none():
    assert labels(None, 7) is None


@pytest.mark.parametrize(
    ("spec", "count", "message"),
    [
        ("imagenet1k", 10, "imagenet1k has 1,000 names, but the network has 10 outputs"),
        ("digits", 1, "digits has 10 names, but the network has 1 output"),
        (("cat", "dog"), 3, "the spec gives 2 names, but the network has 3 outputs"),
        ((), 3, "the spec gives 0 names, but the network has 3 outputs"),
        ("imagenet21k", 1000, "no list is called 'imagenet21k'"),
    ],
)
def test_lists_that_do_not_fit(spec, count, message):
    with pytest.raises(SpecError) as caught:
        labels(spec, count)
    assert message in str(caught.value)
    assert caught.value.hint
