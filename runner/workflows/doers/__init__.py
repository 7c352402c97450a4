"""Those who do nodes: each kind once, behind `runner.workflows.doing.NodeDoer`."""
