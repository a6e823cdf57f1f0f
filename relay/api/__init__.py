"""The Pusher HTTP API (C): signed requests of back ends, and the health checks."""
