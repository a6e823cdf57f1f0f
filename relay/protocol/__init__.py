"""The Pusher Channels protocol as values: bytes, time and limits in, messages and effects out.

Nothing below this package awaits, reads a clock, draws a random number, looks at the environment or logs.
Section numbers such as "A5" point to docs/protocol.md.
"""
