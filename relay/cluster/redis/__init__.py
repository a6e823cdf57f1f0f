"""The contracts between nodes, kept over Redis. May know Redis; must not know nodes, hubs or clients."""
