"""One behaviour a module; each only translates and hands on."""
