// From top to bottom: read the plan, wait for the button, run file after file, send each result.
import { facts, post, run } from "./runs.js";
import { Rows } from "./rows.js";

const at = (id) => document.getElementById(id);
const KEY = "dermport-phone";
const trouble = (text) => {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
};

const kept = () => {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off; a closed page then begins anew
  }
};
const keep = (id) => {
  try {
    sessionStorage.setItem(KEY, id);
  } catch { /* as above */ }
};

const minutes = (seconds) =>
  seconds < 90 ? `${Math.ceil(seconds / 5) * 5}\u00a0s` : `${Math.ceil(seconds / 60)}\u00a0min`;

// The screen stays on where the browser lets it; otherwise the footer has asked for it.
const stayAwake = async () => {
  try {
    return await navigator.wakeLock.request("screen");
  } catch {
    return null;
  }
};

const measureAll = async (plan, rows, again) => {
  const told = await post("enter", { facts: await facts(), id: kept(), again }, trouble);
  if (told.error) return told.error;
  keep(told.id);
  at("about").textContent = `${told.name}.`;
  told.rows.forEach((row) => rows.done(row.ask, row));
  told.left.forEach((place) => rows.waiting(place));
  const done = plan.asks.length - told.left.length;
  const began = performance.now();
  for (const [number, place] of told.left.entries()) {
    const ask = plan.asks[place];
    const each = number ? (performance.now() - began) / 1000 / number : plan.seconds + 5;
    const left = minutes(each * (told.left.length - number));
    at("status").textContent =
      `File ${done + number + 1} of ${plan.asks.length}: ${ask.format}, about ${left} left. Keep this page in front.`;
    at("progress").value = (done + number) / plan.asks.length;
    rows.running(place);
    const refusal = await post("begin", { id: told.id, ask: place }, trouble);
    if (refusal.error) return refusal.error;
    const outcome = ask.threads > 1 && !self.crossOriginIsolated
      ? { result: null, hidden: false,
          fault: "this browser gives threads only to a page from https or from localhost" }
      : await run(ask, plan, (live) => rows.live(place, live));
    const row = await post("end", { id: told.id, ask: place, ...outcome }, trouble);
    if (row.error) {
      // It refuses what the browser told; the next file is not to wait for that.
      const fault = `the computer refused the figures: ${row.error}`;
      const empty = { id: told.id, ask: place, result: null, fault, hidden: outcome.hidden };
      const kept = await post("end", empty, trouble);
      if (kept.error) return kept.error;
      rows.done(place, kept);
    } else {
      rows.done(place, row);
    }
  }
  at("progress").value = 1;
  return "";
};

const start = async (plan, rows, again) => {
  at("start").hidden = true;
  at("again").hidden = true;
  at("whole").hidden = false;
  at("keys").hidden = false;
  at("progress").value = 0;
  const awake = await stayAwake();
  const error = await measureAll(plan, rows, again);
  if (awake) awake.release();
  trouble(error);
  if (!error) {
    const bad = [...document.querySelectorAll("#rows li")].filter((row) => row.querySelector(".bad")).length;
    const good = plan.asks.length - bad;
    at("status").textContent =
      `Finished: ${good} of ${plan.asks.length} ran and answered as exported. The figures are on ` +
      "the computer; this page can be closed.";
  }
  document.body.dataset.state = error ? "refused" : "finished";
  at("again").hidden = !document.querySelector("#rows p.bad");
};

const open = async () => {
  const response = await fetch("plan");
  if (!response.ok) throw new Error(`the computer answered ${response.status}`);
  const plan = await response.json();
  const rows = new Rows(at("rows"), plan.asks);
  const seconds = plan.asks.length * (plan.seconds + 5);
  at("about").textContent =
    `${plan.asks.length} runs of the files of ${plan.title}, about ${minutes(seconds)}. Each file ` +
    `answers at least ${plan.runs} times and for ${plan.seconds}\u00a0s; its answers are compared with ` +
    "those that it gave when it was exported.";
  at("start").disabled = false;
  at("start").addEventListener("click", () => start(plan, rows, false));
  at("again").addEventListener("click", () => start(plan, rows, true));
  if (kept()) at("start").textContent = "Go on";
};

open().catch((error) => trouble(`The page cannot begin: ${error.message}. Load it again.`));
