"""Common ground of relay and support desk: what both need and neither owns. Knows neither of them."""
