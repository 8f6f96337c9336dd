"""TLS in the control plane: where certificates come from and what of them workers get."""
