"""Between nodes: what one node publishes reaches the subscribers of all."""
