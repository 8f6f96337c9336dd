"""Counters that hold over all workers, in memory they share."""
