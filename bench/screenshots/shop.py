"""A made-up shop: its bots.yaml, its customers, and what they talk about."""

from __future__ import annotations

from dataclasses import dataclass

CONFIG = """
server: {{port: 0}}
providers:
  anthropic: {{api_key: made-up}}
  openai: {{api_key: made-up}}
bots:
  support:
    name: Support
    description: Answers questions about orders.
    platform: telegram
    platform_config: {{bot_token: "4200000001:support", api_base_url: "{telegram}"}}
    llm_model: claude-sonnet-4-6
    system_prompt: You help the customers of a small tea shop. Be brief and friendly.
    spending_cap_cents: {support}
  shop:
    name: Shop assistant
    channels:
      - {{platform: telegram, platform_config: {{bot_token: "4200000002:shop", api_base_url: "{telegram}"}}}}
      - {{platform: custom}}
    llm_provider: openai
    llm_model: gpt-4o-mini
    system_prompt: You help people choose tea.
    spending_cap_cents: {shop}
    max_cost_cents_per_message: 20
  night-desk:
    name: Night desk
    platform: telegram
    platform_config: {{bot_token: "4200000003:unknown", api_base_url: "{telegram}"}}
    llm_model: claude-haiku-4-5
    system_prompt: You take notes while the shop is closed.
    spending_cap_cents: {night-desk}
  homework:
    name: Homework helper
    platform: custom
    llm_model: claude-haiku-4-5
    system_prompt: You help with homework and never give the whole answer away.
    spending_cap_cents: {homework}
  hello: {{name: Hello, platform: custom, llm_provider: echo, llm_model: echo, enabled: false}}
"""
ACCOUNTS = ("4200000001:support", "4200000002:shop")
"""Those that the made-up platform knows: the night desk's is refused."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A bot's traffic: turns a day, its model's price in pico-dollars a token, the share of its cap that is spent."""

    bot: str
    channel: str
    provider: str
    model: str
    turns: int
    input_rate: int
    output_rate: int
    percent_of_cap: int


TRADES = (
    Trade("support", "telegram", "anthropic", "claude-sonnet-4-6", 26, 3_000_000, 15_000_000, 74),
    Trade("shop", "telegram", "openai", "gpt-4o-mini", 38, 1_500_000, 6_000_000, 87),
    Trade("night-desk", "telegram", "anthropic", "claude-haiku-4-5", 7, 1_000_000, 5_000_000, 9),
    Trade("homework", "custom", "anthropic", "claude-haiku-4-5", 13, 1_000_000, 5_000_000, 100),
)
PEOPLE = (
    "maria.kowalska",
    "tom",
    "49171-2233445",
    "aylin",
    "j.okafor",
    "U04JH8PQ2",
    "lena",
    "mr_brown",
    "sofia",
    "wei",
)
TALK = (
    ("Hi! Where is my order A-1042?", "It left our warehouse yesterday and should be with you on Tuesday."),
    (
        "Do you have a green tea without caffeine?",
        "Not green, but our rooibos has none and tastes of vanilla.",
    ),
    ("How long do I let the white tea draw?", "Three minutes, with water of 75 to 80 degrees."),
    ("Can I send a tin back?", "Within 30 days and unopened, of course. Shall I send you the label?"),
    ("Thanks, that was quick!", "You are welcome. Enjoy your tea!"),
)
SHIPPED = (
    "It left our warehouse yesterday with DPD and should be with you on Tuesday.\n\n"
    "Shall I send you the link to follow it?"
)
TRACKED = (
    "Here it is: https://example.com/track/A-1042\n\n"
    "The jasmine tea is back on Friday. I can put a tin aside for you."
)
CONSOLE_TALK = (
    ("Hi! Where is my order A-1042?", SHIPPED),
    ("Yes please. And is the jasmine tea back?", TRACKED),
)
TOOL = {
    "toolName": "orders__get_order",
    "arguments": '{"number": "A-1042"}',
    "result": '{"state": "shipped", "carrier": "DPD", "eta": "Tuesday"}',
    "latencyMs": 312,
    "success": True,
}
