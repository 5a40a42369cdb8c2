"""Other engines that run a network's graph, each behind a call from images to logits."""
