"""What the HyFlexPIM paper says of its hardware, fact by fact, beside what archsim gives.

``measure`` has the functions that read numbers off archsim; ``machine_facts`` and ``workload_facts`` list
the facts, each with the expression over those functions that gives archsim's value; ``page`` writes them.
"""
