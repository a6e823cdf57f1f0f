"""HTTP in and out, grouped by who calls. Views know neither SQL nor signatures; each handler reads, asks, answers."""
