"""Archives that ours never are, and what must come of them."""

import warnings
import zipfile

import pytest

import e2e_jax as e2e


def write_zip(path, entries, compression=zipfile.ZIP_STORED):
    """Any names, doubled ones too, in an archive that `archive.write` would never make."""
    with warnings.catch_warnings(action="ignore", category=UserWarning), zipfile.ZipFile(path, "w") as file:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.filename = name  # as it is, without the cleaning of ZipInfo
            file.writestr(info, content, compression)
    return path


def refused(path, why):
    with pytest.raises(e2e.ArtifactError, match=why) as caught:
        e2e.load(path)
    lines = str(caught.value).splitlines()
    assert [lines[1][:12], lines[2][:7]] == ["  Received: ", "  Fix: "]
