"""The console: a page that shows what happens to an app while it happens, and sends test events."""
