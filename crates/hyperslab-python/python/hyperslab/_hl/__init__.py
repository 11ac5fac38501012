"""The high-level interface: files, groups, datasets and attributes as people use them."""
