"""What the desk remembers: SQL by subject. Functions over a given transaction, which take and return models; no rules, no
events, no transactions of their own.
"""
