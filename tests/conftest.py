import structlog
from hypothesis import settings

# The log is for operators; a test that looks at it captures it by itself.
structlog.configure(
    processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory()
)

# The same examples each time; `make chaos` looks for new ones (--hypothesis-profile=default).
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
