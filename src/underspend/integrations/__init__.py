"""Underspend inside other programs: every change to their files is shown, and undone to the byte."""
