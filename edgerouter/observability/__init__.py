"""Logs, access logs and, later, metrics."""
