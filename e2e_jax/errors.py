"""The three exceptions a user of e2e_jax can meet, each in three lines: expected, received, fix."""


class E2EError(Exception):
    """Base of all e2e_jax errors.

    Args:
        expected: One sentence, ``"Where: what must hold."``
        received: The offending value as the caller would recognise it.
        fix: What to do about it.

    Example:
        >>> print(E2EError("Resize: size must be positive.", "size=(0, 224)", "pass pixels, e.g. Resize(256)."))
        Resize: size must be positive.
          Received: size=(0, 224)
          Fix: pass pixels, e.g. Resize(256).
    """

    def __init__(self, expected: str, received: str, fix: str) -> None:
        super().__init__(expected, received, fix)
        self.expected, self.received, self.fix = expected, received, fix

    def __str__(self) -> str:
        return f"{self.expected}\n  Received: {self.received}\n  Fix: {self.fix}"


class ImageError(E2EError, ValueError):
    """An image cannot be read or does not fit: file, pixels, shape, dtype or value range."""


class ConfigError(E2EError, ValueError):
    """A transform, a pipeline or a call is set up wrongly: argument, option, or combination."""


class ArtifactError(E2EError, ValueError):
    """An ``.e2e`` artifact cannot be written, or is damaged, foreign, or of another format version."""
