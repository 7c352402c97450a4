"""What checking a file knows of the providers is what the providers' room says."""

from runner.config.known import PROVIDERS
from runner.providers.catalogue import DEFAULT_KEY_VARIABLES, SHIPPED


def test_both_tables_say_the_same() -> None:
    assert {name: (p.kind, p.key_variable, p.needs_key) for name, p in PROVIDERS.items()} == {
        name: (d.kind, DEFAULT_KEY_VARIABLES.get(name), d.needs_key) for name, d in SHIPPED.items()
    }


def test_what_an_address_needs_is_asked_for() -> None:
    for name, definition in SHIPPED.items():
        address = definition.dialect.base_url
        needed = {
            "base_url": definition.kind != "echo" and not address,
            "account_id": "{account_id}" in address,
        }
        assert PROVIDERS[name].needs == tuple(field for field, asked in needed.items() if asked), name
