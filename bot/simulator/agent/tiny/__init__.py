"""The small agent that comes with the demo: it looks at a repository in ways that the prompt's words ask for.

It runs as a program of its own (``python -m bot.simulator.agent.tiny PROMPT``), in the clone, as any agent would.
"""
