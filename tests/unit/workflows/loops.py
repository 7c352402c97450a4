"""A workflow that asks and tells once for each order."""

from runner.testing.workflows import ask, loop, send, trigger, workflow

LOOP = workflow(
    {
        "t": trigger(),
        "l": loop(maxIterations=3),
        "a": ask("{{order}}"),
        "b": send("{{answer.text}}"),
        "z": send(),
    },
    "t > l",
    "l body> a",
    "a > b",
    "b > l",
    "l done> z",
)
