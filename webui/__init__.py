"""What app.py composes the page of."""
