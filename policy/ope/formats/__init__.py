"""Logs in and out: one format a file, each read into ``Decisions``."""
