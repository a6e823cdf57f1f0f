"""A load generator for any Pusher-compatible server. See docs/performance.md; run with `python -m bench`."""
