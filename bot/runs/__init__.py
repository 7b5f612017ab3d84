"""The engine room: from a claimed request to the last edit."""
