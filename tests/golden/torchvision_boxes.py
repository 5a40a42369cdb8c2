"""Writes torchvision_boxes.npz: suppression and overlaps of 300 random boxes by torchvision.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 numpy
    python tests/golden/torchvision_boxes.py

Stored: torch 2.14.1, torchvision 0.29.1.
"""

from pathlib import Path

import numpy as np


def main() -> None:
    import torch
    import torchvision
    from torchvision import ops

    generator = torch.Generator().manual_seed(11)
    boxes = torch.rand(300, 4, generator=generator) * 300
    boxes[:, 2:] = boxes[:, :2] + torch.rand(300, 2, generator=generator) * 90 + 1
    scores, classes = torch.rand(300, generator=generator), torch.randint(0, 5, (300,), generator=generator)
    out = {
        "versions": np.array([torch.__version__, torchvision.__version__]),
        "boxes": boxes.numpy(),
        "scores": scores.numpy(),
        "classes": classes.numpy(),
        "nms_0.4": ops.nms(boxes, scores, 0.4).numpy(),
        "nms_0.7": ops.nms(boxes, scores, 0.7).numpy(),
        "batched_nms_0.5": ops.batched_nms(boxes, scores, classes, 0.5).numpy(),
        "iou": ops.box_iou(boxes[:20], boxes[20:50]).numpy(),
        "giou": ops.generalized_box_iou(boxes[:20], boxes[20:50]).numpy(),
    }
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
