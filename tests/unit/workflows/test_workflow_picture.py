from runner.testing.workflows import choose, node, readable, send, trigger, workflow
from runner.workflows.picture import mermaid


def test_a_workflow_as_a_picture() -> None:
    source = workflow(
        {
            "start": trigger(),
            "billing?": choose(),
            "both": node("parallel", branches=["a", "b"], join="end"),
            "a": send(),
            "b": send(),
            "each": node("loop", items=[1], itemVariable="x"),
            "say": send(),
            "end": {**send(), "label": 'Good bye"] --> n0; click n0 href "x'},
            "oops": node("error_handler"),
        },
        "start > billing?",
        "billing? true> both",
        "billing? false> each",
        "both a> a",
        "both b> b",
        "each body> say",
        "oops > end",
    )
    assert mermaid(readable(source)) == (
        "flowchart TD\n"
        '    n0(["start · trigger"])\n'
        '    n1{"billing? · logic"}\n'
        '    n2[/"both · parallel"/]\n'
        '    n3["a · send_message"]\n'
        '    n4["b · send_message"]\n'
        '    n5[["each · loop"]]\n'
        '    n6["say · send_message"]\n'
        '    n7["Good bye#34;#93; --#62; n0#59; click n0 href #34;x · send_message"]\n'
        '    n8>"oops · error_handler"]\n'
        "    n0 --> n1\n"
        '    n1 -->|"true"| n2\n'
        '    n1 -->|"false"| n5\n'
        '    n2 -->|"a"| n3\n'
        '    n2 -->|"b"| n4\n'
        '    n5 -->|"body"| n6\n'
        "    n8 --> n7\n"
        '    n2 -.->|"join"| n7\n'
    )


def test_an_edge_for_errors_is_dotted() -> None:
    graph = readable(workflow({"t": trigger(), "a": send(), "b": send()}, "t > a", "a error> b"))
    assert '    n1 -.->|"error"| n2\n' in mermaid(graph)
