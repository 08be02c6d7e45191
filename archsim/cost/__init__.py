"""What an action and a part cost: entries with sources, and their roll-up."""
