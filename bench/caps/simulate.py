"""How far each way of keeping a cap overshoots, in virtual time; see runner/testing/cap_simulation.py.

    python -m bench.caps [--seeds 20] [--cap 5.00] [--model anthropic/claude-haiku-4-5] [--answers uniform]

For each number of conversations at once and each policy: the worst overshoot over all seeds, in percent of the
cap; the least of the cap that was used; and how many were told "limit reached" for money that was only held.
"""

import argparse

from runner.config.price_books import load_book
from runner.money.amounts import from_usd, to_usd
from runner.testing.cap_policies import OTHERS, OURS
from runner.testing.cap_simulation import Scenario, requests_of, simulate

AT_ONCE = (1, 50, 200)


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulate ways of keeping a cap.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--cap", default="5.00")
    parser.add_argument("--model", default="anthropic/claude-haiku-4-5")
    parser.add_argument("--answers", choices=["at bound", "uniform"], default="uniform")
    options = parser.parse_args()
    provider, _, model = options.model.partition("/")
    price = load_book("default").find(provider, model)
    if price is None:
        parser.error(f"{options.model} has no price")
    cap, requests = from_usd(options.cap), requests_of(price)
    print(f"{options.model}, cap {to_usd(cap)} USD, {options.seeds} seeds, answers {options.answers}\n")
    print("| at once | policy | worst overshoot | least used | told too early |\n|---|---|---|---|---|")
    for at_once in AT_ONCE:
        for policy in (OURS, *OTHERS):
            scenario = Scenario(price, requests, cap, conversations=at_once, answers=options.answers)
            reports = [simulate(policy, scenario, seed) for seed in range(options.seeds)]
            over = max(report.overshoot for report in reports)
            least = min(report.used_percent for report in reports)
            early = max(report.false_limits for report in reports)
            print(f"| {at_once} | {policy.name} | {1000 * over // cap / 10} % | {least} % | {early} |")


if __name__ == "__main__":
    main()
