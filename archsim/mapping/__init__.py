"""Where each weight, cache and operation lives: SVD factors, placement, replicas, parallelism."""
