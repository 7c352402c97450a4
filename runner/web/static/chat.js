"use strict";
// The chat page: talks to a bot's custom channel and shows under each answer what it cost.
const log = document.getElementById("log");
const form = document.getElementById("form");
const field = document.getElementById("text");
const choice = document.getElementById("bot");
const sum = document.getElementById("sum");
const button = form.querySelector("button");
const PICO = 12n;
let spent = 0n;

// Exact: dollars as whole pico-dollars, never as floating-point numbers.
function pico(text) {
  const [whole, rest = ""] = text.split(".");
  return BigInt(whole) * 10n ** PICO + BigInt(rest.padEnd(Number(PICO), "0"));
}
function dollars(amount) {
  const text = amount.toString().padStart(Number(PICO) + 1, "0");
  const rest = text.slice(-Number(PICO)).replace(/0+$/, "").padEnd(2, "0");
  return `${text.slice(0, -Number(PICO))}.${rest}`;
}

function user() {
  let id = localStorage.getItem("botrunner-user");
  if (!id) {
    id = `browser-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
    localStorage.setItem("botrunner-user", id);
  }
  return id;
}

function show(text, kind, note) {
  const bubble = document.createElement("div");
  bubble.className = `said ${kind}`;
  bubble.textContent = text;
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    bubble.append(small);
  }
  log.append(bubble);
  bubble.scrollIntoView({ block: "end" });
  return bubble;
}

async function ask(text) {
  const response = await fetch(`/api/bots/webhook/custom/${encodeURIComponent(choice.value)}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, user_id: user(), channel_id: user() }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ? body.error.message || body.error.code : `status ${response.status}`);
  return body;
}

async function say(text) {
  show(text, "own");
  const waiting = show("…", "waiting");
  button.disabled = true;
  try {
    const said = await ask(text);
    waiting.remove();
    const model = said.route ? ` · ${said.route.provider}/${said.route.model}` : "";
    show(said.response, "", `${said.tokens.input} in · ${said.tokens.output} out · ${said.cost_usd} USD · ${said.latency_ms} ms${model}`);
    spent += pico(said.cost_usd);
    sum.textContent = `${dollars(spent)} USD spent in this window`;
  } catch (fault) {
    waiting.remove();
    show(fault.message, "bad");
  } finally {
    button.disabled = false;
    field.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text || button.disabled) return;
  field.value = "";
  say(text);
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

(async () => {
  try {
    const response = await fetch("/chat/bots");
    if (!response.ok) throw new Error(`status ${response.status}`);
    const bots = await response.json();
    for (const bot of bots) choice.add(new Option(bot.name, bot.id));
    button.disabled = !bots.length;
    if (!bots.length) {
      show("No bot of this file has a custom channel. Add one to bots.yaml to talk to it here.", "bad");
    }
  } catch (fault) {
    show(`The list of bots cannot be had: ${fault.message}`, "bad");
  }
  field.focus();
})();
