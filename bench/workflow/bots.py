"""The same support twice, as bots.yaml has it: once as an agent with tools, once as a workflow.

Rules: one system prompt, one model, one server of orders. The agent's tools are those that such a bot has at the least;
the workflow's prompts say what its nodes are for. What the agent does by asking its model, whether a refund is due, the
workflow does by the script of the documents that people follow, word for word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.workflow.shop import CLASSIFY, RESPOND

SYSTEM = """\
You are the support of Example Outfitters, a shop for clothes and things for the house. You answer customers kindly
and exactly, in two or three sentences, in their language. You never guess: what you say of an order comes from the
shop's own data. Things may be sent back within 30 days of their delivery, unused; what has a fault may be sent back
later. Delivery takes two to five working days. You never ask for a password or a card number, and never promise what
is not in the data."""

ELIGIBLE = (
    "const order = ctx.variables.order_data; ctx.variables.is_eligible = order.status === 'delivered' && "
    "order.days_since_delivery < 30;"
)
_NUMBER = (
    "const found = /A-\\d{5}/.exec(ctx.variables.message); ctx.variables.number = found ? found[0] : '';"
)


def file_of(model: str, *, small: str, models: str, orders: str) -> Mapping[str, Any]:
    """bots.yaml; `model` and `small` are provider/model; `models` and `orders` are addresses."""
    provider, _, name = model.partition("/")
    common = {
        "platform": "custom",
        "llm_provider": provider,
        "llm_model": name,
        "rate_limit_per_minute": None,
        "system_prompt": SYSTEM,
        "tools": _tools(orders),
    }
    return {
        "server": {"port": 0},
        "reload": "off",
        "providers": {
            "anthropic": {"base_url": models, "api_key": "key"},
            "openai": {"base_url": f"{models}/v1", "api_key": "key"},
        },
        "bots": {
            "agent": common,
            "workflow": {**common, "workflow_enabled": True, "workflow": _workflow(None)},
            "small_first": {**common, "workflow_enabled": True, "workflow": _workflow(small)},
        },
    }


def _tools(orders: str) -> list[Mapping[str, Any]]:
    """The tools of a support bot."""
    text = {"type": "string"}
    return [
        _tool("get_order", "Looks up an order by its number.", f"{orders}/orders/{{number}}", number=text),
        _tool("find_orders", "Finds a customer's orders by e-mail.", f"{orders}/find/{{email}}", email=text),
        _tool("refund_policy", "The rules for sending things back.", f"{orders}/refunds/policy", reason=text),
        _tool(
            "open_ticket", "Asks a colleague to look into it.", f"{orders}/tickets", subject=text, body=text
        ),
    ]


def _tool(name: str, description: str, url: str, **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "name": name,
        "description": description,
        "url": url,
        "parameters": {"type": "object", "properties": properties, "required": list(properties)},
        "allow_private": True,
    }


def _workflow(small: str | None) -> Mapping[str, Any]:
    """Classify, look up the order, respond; `small` classifies, where one is named."""
    classify = {
        "prompt": f"What does this customer want? {CLASSIFY}\n\n{{{{message}}}}",
        "outputVariable": "intent",
        "maxTokens": 5,
        **({"model": small} if small is not None else {}),
    }
    answer = f"{{{{message}}}}\n\n{RESPOND} {{{{order_data}}}}"
    refund = f"{answer}\nA refund is due: {{{{is_eligible}}}}. Answer the customer."
    nodes = {
        "start": ("trigger", {"triggerType": "message_received"}),
        "classify": ("llm_call", classify),
        "number": ("code_block", {"code": _NUMBER}),
        "look_up": (
            "function_call",
            {"tool": "get_order", "arguments": {"number": "{{number}}"}, "outputVariable": "order_data"},
        ),
        "which": ("logic", {"logicType": "if_else", "condition": "{{intent.text}} == refund"}),
        "eligible": ("code_block", {"code": ELIGIBLE}),
        "refund": ("llm_call", {"prompt": refund, "outputVariable": "reply"}),
        "status": ("llm_call", {"prompt": f"{answer}\nAnswer the customer.", "outputVariable": "reply"}),
        "say_refund": ("send_message", {"text": "{{reply.text}}"}),
        "say_status": ("send_message", {"text": "{{reply.text}}"}),
    }
    edges = (
        ("start", "", "classify"),
        ("classify", "", "number"),
        ("number", "", "look_up"),
        ("look_up", "", "which"),
        ("which", "true", "eligible"),
        ("which", "false", "status"),
        ("eligible", "", "refund"),
        ("refund", "", "say_refund"),
        ("status", "", "say_status"),
    )
    return {
        "nodes": [{"id": name, "type": kind, "data": data} for name, (kind, data) in nodes.items()],
        "edges": [
            {"source": source, "target": target, **({"sourceHandle": handle} if handle else {})}
            for source, handle, target in edges
        ],
    }
