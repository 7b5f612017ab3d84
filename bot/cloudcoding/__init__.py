"""The upstream edge: the Cloud Coding API."""
