"""What providers, files and labels say, as types."""
