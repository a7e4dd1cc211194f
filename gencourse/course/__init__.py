"""The notebooks as files: a reader's copies, running them, and whether this machine is ready for them."""
