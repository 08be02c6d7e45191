"""When does it happen? Engines that run a task graph, and the steady state of a stream."""
