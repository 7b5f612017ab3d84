import structlog

# The log is for operators; a test that looks at it captures it by itself.
structlog.configure(
    processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory()
)
