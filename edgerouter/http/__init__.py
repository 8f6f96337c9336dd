"""The vocabulary of one HTTP exchange; standard library only."""
