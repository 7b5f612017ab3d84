"""The Slack edge: payloads in, Block Kit out."""
