"""What runs: operations, traces, and the models that traces are generated from."""
