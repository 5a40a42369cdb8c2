"""python -m benchmarks [--write] [NAME …]: runs the named measurements, or all; --write keeps them in a file."""

from __future__ import annotations

import sys

from benchmarks import (
    augment,
    convolutions,
    fused,
    load,
    networks,
    overhead,
    resize,
    results,
    scaling,
    sizes,
    start,
    transforms,
)

MEASUREMENTS = {
    "resize": resize.main,
    "fused": fused.main,
    "transforms": transforms.main,
    "augment": augment.main,
    "start": start.main,
    "sizes": sizes.main,
    "overhead": overhead.main,
    "load": load.main,
    "convolutions": convolutions.main,
    "networks": networks.main,
    "scaling": scaling.main,
}
WRITTEN = ("networks", "scaling")  # their functions return a section


def main(arguments: list[str]) -> int:
    names = [name for name in arguments if name != "--write"]
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; choose from {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    for name in names or MEASUREMENTS:
        text = MEASUREMENTS[name]()
        if "--write" in arguments and name in WRITTEN:
            results.store(name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
