"""Where a request goes: services and their servers."""
