"""What the desk talks about, as frozen values, one subject per file. No SQL, no HTTP, no clock."""
