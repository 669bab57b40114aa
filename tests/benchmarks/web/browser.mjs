// Opens the page in a real browser, presses its button, and tells what happened as JSON.
// node browser.mjs PLAYWRIGHT CHROMIUM URL FOLDER SECONDS [SCRIPT]
// Screenshots go into FOLDER, none where it is ""; SCRIPT runs before the page's own.
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [playwright, executablePath, url, folder, seconds, before] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(join(playwright, "index.mjs")).href);
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
  ],
});
const context = await browser.newContext({
  ignoreHTTPSErrors: true, viewport: { width: 390, height: 844 }, deviceScaleFactor: 2,
});
const page = await context.newPage();
const errors = [];
const requests = [];
page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
page.on("pageerror", (error) => errors.push(String(error)));
context.on("request", (request) => requests.push(request.url()));
if (before) await page.addInitScript(before);

const shoot = async (name) => {
  if (!folder) return;
  for (const [size, width, height] of [["phone", 390, 844], ["desktop", 1280, 900]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      const path = join(folder, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true, timeout: 120_000 });
    }
  }
  await page.setViewportSize({ width: 390, height: 844 });
};

try {
  await page.goto(url, { waitUntil: "load" });
  await page.waitForSelector("#start:enabled", { timeout: 20_000 });
  await shoot("before");
  await page.click("#start");
  // Live bars, or the end where every file is too quick or faulty to show any.
  const live = () => document.body.dataset.state
    || document.querySelector("li progress[value]:not([hidden])");
  await page.waitForFunction(live, null, { timeout: 1000 * seconds });
  await shoot("during");
  await page.waitForFunction(() => document.body.dataset.state, null, { timeout: 1000 * seconds });
  await shoot("after");
  const seen = await page.evaluate(() => ({
    state: document.body.dataset.state,
    trouble: document.querySelector("#trouble").textContent,
    status: document.querySelector("#status").textContent,
    rows: [...document.querySelectorAll("#rows li")].map((row) => row.innerText),
    bars: [...document.querySelectorAll("#rows .i50")].map((bar) => bar.style.width),
    wide: document.documentElement.scrollWidth > window.innerWidth,
    small: [...document.querySelectorAll("p, h1, h2, button, .ms")]
      .filter((each) => each.offsetParent && parseFloat(getComputedStyle(each).fontSize) < 12.5)
      .map((each) => each.textContent),
    isolated: crossOriginIsolated,
  }));
  console.log(JSON.stringify({ ...seen, errors, requests }));
} finally {
  await browser.close();
}
