"""Replaying a file of what happened, line by line, through the HTTP intake of the Signalbox that is running."""
