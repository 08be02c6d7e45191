"""Pictures of results, runs and sweeps for papers and screens: one file a kind."""
