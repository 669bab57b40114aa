// Running one file in a worker of its own, and talking with the computer.
const FETCH_LIMIT_S = 180;
const PAUSES_MS = [1000, 2000, 5000];

const base64 = (numbers) => {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
};

// What the computer is told of a finished run.
const packed = (result) => ({
  build: result.build,
  load: result.load,
  first: result.first,
  times: result.times.map((time) => Math.round(1000 * time) / 1000),
  answers: Object.fromEntries(
    Object.entries(result.answers).map(([name, numbers]) => [name, base64(numbers)]),
  ),
});

// Runs a file; never fails: resolves to {result, fault, hidden}, one of the first two empty.
export const run = (ask, plan, onLive) =>
  new Promise((resolve) => {
    let hidden = document.hidden;
    let timer = 0;
    const look = () => { hidden = hidden || document.hidden; };
    document.addEventListener("visibilitychange", look);
    const worker = new Worker("worker.js");
    const end = (result, fault) => {
      clearTimeout(timer);
      worker.terminate();
      document.removeEventListener("visibilitychange", look);
      resolve({ result, fault, hidden });
    };
    const limit = (seconds, what) => {
      clearTimeout(timer);
      timer = setTimeout(() => end(null, `${what} after ${seconds} s`), 1000 * seconds);
    };
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      end(null, `it crashed: ${event.message || "the browser does not say why"}`);
    });
    worker.addEventListener("message", ({ data }) => {
      if (data.opening) limit(plan.limit, "it hung and was ended");
      if (data.live) onLive(data.live);
      if (data.fault !== undefined) end(null, data.fault || "it failed without a word");
      if (data.result) end(packed(data.result), "");
    });
    limit(FETCH_LIMIT_S, "the file was not fetched");
    worker.postMessage({ ask, plan });
  });

// Posts until the computer answers; what it refuses is an error with its words.
export const post = async (name, value, onTrouble) => {
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await fetch(name, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(value),
      });
      const answer = await response.json();
      onTrouble("");
      if (response.ok) return answer;
      return { error: answer.error || `status ${response.status}` };
    } catch (error) {
      onTrouble(
        "The computer does not answer. It is asked again until it does; if it was stopped, start " +
        "it again and open the new address.",
      );
      await new Promise((go) => setTimeout(go, PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]));
    }
  }
};

// The smallest step of the clock that can be seen.
export const clockStep = () => {
  let least = Infinity;
  for (let seen = 0, last = performance.now(); seen < 20; ) {
    const now = performance.now();
    if (now > last) {
      least = Math.min(least, now - last);
      last = now;
      seen += 1;
    }
  }
  return Math.round(1e4 * least) / 1e4;
};

// What this browser says it is; the model of a phone only on a page that the browser trusts.
export const facts = async () => {
  const hints = navigator.userAgentData
    ? await navigator.userAgentData.getHighEntropyValues(["model", "platformVersion"]).catch(() => ({}))
    : {};
  return {
    agent: navigator.userAgent,
    model: hints.model || "",
    system_version: hints.platformVersion || "",
    cores: navigator.hardwareConcurrency || 1,
    isolated: Boolean(self.crossOriginIsolated),
    clock_ms: clockStep(),
  };
};
