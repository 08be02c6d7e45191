"""What the machine is: the tree of parts, and the loader of hardware YAML."""
