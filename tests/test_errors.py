"""The three exceptions: kinds, three lines, and the check of a call's arguments."""

import copy
import pickle

import pytest

import e2e_jax as e2e
from e2e_jax.errors import E2EError, known_arguments

KINDS = [e2e.ImageError, e2e.ConfigError, e2e.ArtifactError]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_three_lines_and_a_value_error(kind):
    error = kind("Where: what must hold.", "size=-1", "pass 1.")
    assert str(error) == "Where: what must hold.\n  Received: size=-1\n  Fix: pass 1."
    assert (error.expected, error.received, error.fix) == ("Where: what must hold.", "size=-1", "pass 1.")
    assert isinstance(error, E2EError)
    assert isinstance(error, ValueError)
    assert [other for other in KINDS if isinstance(error, other)] == [kind]


def test_another_librarys_long_message_stays_on_its_line():
    error = e2e.ImageError("Expected.", "one\ntwo\r\nthree", "Fix it.")
    assert str(error).splitlines() == ["Expected.", "  Received: one two three", "  Fix: Fix it."]


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_cross_process_borders(copied):
    error = copied(e2e.ImageError("Expected.", "this", "That."))
    assert (type(error), str(error)) == (e2e.ImageError, "Expected.\n  Received: this\n  Fix: That.")


@known_arguments
def resize(image, *, size=3):
    """Gives back what it was called with."""
    return image, size


def test_known_arguments_passes_good_calls_through():
    assert resize(1, size=2) == (1, 2)
    assert resize.__doc__ == "Gives back what it was called with."


@pytest.mark.parametrize(
    ("arguments", "options", "found"),
    [
        ((1,), {"sise": 2}, "got an unexpected keyword argument 'sise'"),
        ((), {}, "missing a required argument: 'image'"),
        ((1, 2), {}, "too many positional arguments"),
    ],
)
def test_known_arguments_shows_the_right_call(arguments, options, found):
    with pytest.raises(e2e.ConfigError) as caught:
        resize(*arguments, **options)
    assert caught.value.expected == "resize: the arguments must fit resize(image, size)."
    assert caught.value.received == found


def test_a_type_error_from_inside_is_not_mistaken_for_a_wrong_call():
    @known_arguments
    def broken(image):
        return image + "text"

    with pytest.raises(TypeError, match="unsupported operand"):
        broken(1)


def test_known_arguments_names_the_class_of_an_init():
    class Blur:
        @known_arguments
        def __init__(self, sigma):
            self.sigma = sigma

    with pytest.raises(e2e.ConfigError, match=r"Blur: the arguments must fit .*Blur\(sigma\)"):
        Blur(sigmas=3)
