"""Published figures beside what archsim simulates, with the reason where they differ."""
