"""How control plane and workers talk."""
