"""The roster over Redis: `roster.py` is all of it in one value."""
