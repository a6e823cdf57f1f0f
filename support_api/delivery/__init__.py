"""Work beside the requests: what empties tables and looks after what nobody asks for. No rules."""
