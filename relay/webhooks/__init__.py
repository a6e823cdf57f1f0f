"""Telling back ends what happens in channels (D). Must not know connections."""
