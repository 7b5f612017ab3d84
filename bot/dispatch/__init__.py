"""PostgreSQL's side of dispatching: procrastinate's jobs bring runs to processes, and NOTIFY brings orders."""
