"""For those who look on: what happens, live, and what was counted. Must not know who is connected."""
