"""What each part of a machine is and how it works: one file a kind, behind the interface of ``part``."""
