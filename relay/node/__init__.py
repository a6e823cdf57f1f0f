"""This process: who is connected and subscribed, and what follows from what they send. Must not know sockets or HTTP."""
