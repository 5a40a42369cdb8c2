"""python -m benchmarks [NAME …]: runs the named measurements, or all."""

from __future__ import annotations

import sys

from benchmarks import augment, fused, overhead, resize, sizes, start, transforms

MEASUREMENTS = {
    "resize": resize.main,
    "fused": fused.main,
    "transforms": transforms.main,
    "augment": augment.main,
    "start": start.main,
    "sizes": sizes.main,
    "overhead": overhead.main,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; choose from {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    for name in names or MEASUREMENTS:
        MEASUREMENTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
