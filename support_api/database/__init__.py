"""The database: its connections and transactions, its tables and how earlier ones become today's. Knows no use case."""
