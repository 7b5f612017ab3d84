"""Pure: no await, no clock, no environment, no logging, the standard library alone."""
