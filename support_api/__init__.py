"""The support desk: tickets, messages, operators and their HTTP API.

It stores what people write, decides who may see it and hands events to a Pusher-compatible relay through `relay.client`.
It never holds a realtime connection itself.
"""
