"""The ways by which clients come: one module a transport, all of the same shape."""
