"""A local Slack and a local Cloud Coding agent, for the demo and for all the tests."""
