"""Rules, matchers and route tables: which router takes a request."""
