"""What was measured: frozen records, collected from finished runs."""
