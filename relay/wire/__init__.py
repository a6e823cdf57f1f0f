"""RFC 6455, 7692 and 9112 and the framing of SockJS, as values: bytes in, messages out, and back.

Knows no Pusher. Nothing here awaits, reads a clock, draws a random number, looks at the environment or logs.
"""
