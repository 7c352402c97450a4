"""What botrunner is held against: the bot that the first page of two manuals leads to.

python-telegram-bot takes the messages, side by side; the openai SDK asks the model, not streamed, which is its
cheapest way. It keeps no history, no inbox, no ledger, and knows no cap.
"""

from __future__ import annotations

import os

from openai import AsyncOpenAI
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

client = AsyncOpenAI(api_key="key", base_url=os.environ["MODEL_URL"])


async def answer(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    if update.message is None or update.message.text is None:
        return
    completion = await client.chat.completions.create(
        model="m",
        max_tokens=512,
        messages=[
            {"role": "system", "content": "You help."},
            {"role": "user", "content": update.message.text},
        ],
    )
    await update.message.reply_text(completion.choices[0].message.content or "…")


def main() -> None:
    application = (
        Application.builder()
        .token(os.environ["BOT_TOKEN"])
        .base_url(f"{os.environ['API_BASE_URL']}/bot")
        .concurrent_updates(True)  # noqa: FBT003 - as its manual writes it
        .build()
    )
    application.add_handler(MessageHandler(filters.TEXT, answer))
    application.run_polling()


if __name__ == "__main__":
    main()
