"""A local Cloud Coding agent: it clones a repository, runs a real command in it, and streams what that prints."""
