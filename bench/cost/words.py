"""Made-up text, by dice: sentences of a language's words, records as tools bring them. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

ENGLISH = (
    "the booking flight passenger fare refund ticket change cancel policy baggage seat upgrade certificate agent must "
    "never before after confirm customer reservation economy business within hours days insurance reason airline "
    "payment card gift balance total one way round trip allowed not only if then provide list details ask user id "
    "origin destination date available status delayed compensation offer amount number each membership regular gold "
    "silver free extra bag transfer human request scope deny action tool call respond at time do both"
)
BENGALI = (
    "আমার টিকিট কবে আসবে জানতে চাই অনুগ্রহ করে ফেরত টাকা সময় পরিবর্তন যাত্রা তারিখ নম্বর বিমান ব্যাগ সমস্যা সাহায্য দরকার আগামীকাল "
    "সকাল সন্ধ্যা ঠিকানা পরিষেবা অপেক্ষা ধন্যবাদ আপনি কীভাবে পারেন বলুন আজ মূল্য কত"
)
JAPANESE = (
    "予約 を 変更 したい の ですが 明日 の 便 は 空いて いますか 返金 について 教えて ください 荷物 が 届きません "
    "座席 番号 確認 お願いします 到着 時間 遅れ 手数料 いくら 住所 電話 昨日 注文 商品 まだ"
)
ARABIC = (
    "أريد تغيير موعد الرحلة غدا صباحا من فضلك كم سعر التذكرة استرداد المبلغ الحقيبة لم تصل بعد رقم الحجز هل يمكن "
    "المساعدة شكرا العنوان الهاتف اليوم الطلب متأخر المقعد الدفع البطاقة متى"
)
GERMAN = (
    "ich möchte meine Buchung ändern bitte wann kommt das Paket an Rückerstattung Gepäckstück verspätet Sitzplatz "
    "Flugverbindung morgen früh Stornierungsbedingungen Rechnung Adresse Telefonnummer gestern bestellt noch nicht "
    "angekommen vielen Dank können Sie helfen wie viel kostet die Umbuchungsgebühr"
)


def prose(
    dice: random.Random, chars: int, words: str = ENGLISH, *, space: str = " ", stop: str = ". "
) -> str:
    """About so many characters of sentences; `words` stand with blanks between them."""
    known = words.split()
    parts: list[str] = []
    size = 0
    while size < chars:
        sentence = space.join(dice.choices(known, k=dice.randint(5, 14)))
        parts.append(sentence[:1].upper() + sentence[1:])
        size += len(sentence) + len(stop)
    return stop.join(parts)[: max(1, chars)].strip() or known[0]


def record(dice: random.Random, chars: int) -> str:
    """About so many characters of JSON, as a system of record brings it."""
    rows: list[Mapping[str, object]] = []
    size = 0
    while size < chars:
        row = {
            "id": f"{dice.choice('HJKMNP')}{dice.randrange(10**5):05d}",
            "from": "".join(dice.choices("ABDEFJKLMNOS", k=3)),
            "to": "".join(dice.choices("ABDEFJKLMNOS", k=3)),
            "date": f"2026-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}",
            "status": dice.choice(["available", "delayed", "landed", "cancelled"]),
            "price": dice.randint(60, 900),
            "note": prose(dice, dice.randint(10, 60)),
        }
        rows.append(row)
        size += len(json.dumps(row)) + 2
    return json.dumps(rows, ensure_ascii=False)[: max(chars, 2)]


def skewed(dice: random.Random, middle: float, spread: float, least: float, most: float) -> float:
    """A lognormal figure around its middle, within bounds."""
    return min(most, max(least, middle * dice.lognormvariate(0, spread)))
