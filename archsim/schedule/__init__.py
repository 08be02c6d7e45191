"""What must happen, in which order: lowers a mapped trace to a task graph."""
