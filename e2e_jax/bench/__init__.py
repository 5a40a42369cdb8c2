"""``e2e-jax bench``: a network with its transforms, one program against separate steps and other engines."""
