"""The control room: a page at `/` that shows the grid live and can start a rush hour."""
