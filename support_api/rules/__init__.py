"""Pure decisions: values in, values or refusals out. No database, no request, no clock."""
