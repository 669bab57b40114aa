// The list of files: one row each, with bars on one scale.
const shown = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(1));
// Figures and their units stay on one line.
const ms = (value) => `${shown(value)}\u00a0ms`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)}\u00a0MB`;

const element = (tag, className = "", text = "") => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
};

export class Rows {
  constructor(list, asks) {
    this.rows = asks.map((ask) => {
      const several = asks.some((other) => other.threads !== ask.threads);
      const item = element("li");
      const head = element("div", "head");
      const times = element("span", "ms");
      head.append(element("h2", "", ask.format), times);
      const threads = several ? `, ${ask.threads} thread${ask.threads > 1 ? "s" : ""}` : "";
      const about = element("p", "quiet", `${ask.runtime}, ${megabytes(ask.bytes)}${threads}`);
      const track = element("div", "track");
      const bars = ["i99", "i90", "i50"].map((name) => element("i", name));
      track.append(...bars);
      track.hidden = true;
      const progress = element("progress");
      progress.max = 1;
      progress.value = 0;
      progress.hidden = true;
      progress.setAttribute("aria-label", `progress of ${ask.format}`);
      const words = element("div");
      item.append(head, about, track, progress, words);
      list.append(item);
      return { item, head: times, track, bars, progress, words, times: null };
    });
  }

  waiting(place) {
    const row = this.rows[place];
    row.times = null;
    row.head.textContent = "";
    row.track.hidden = true;
    row.words.replaceChildren();
    this.draw();
  }

  running(place) {
    this.waiting(place);
    const row = this.rows[place];
    row.progress.hidden = false;
    row.progress.removeAttribute("value");
    row.words.replaceChildren(element("p", "quiet", "opening"));
    row.item.scrollIntoView({ block: "nearest" });
  }

  live(place, { runs, share, times }) {
    const row = this.rows[place];
    row.times = times;
    row.progress.value = share;
    row.words.replaceChildren(element("p", "quiet", `${runs} inferences so far`));
    this.draw();
  }

  done(place, told) {
    const row = this.rows[place];
    const { figures, fault, apart, probability, notes } = told;
    row.progress.hidden = true;
    const words = [];
    if (fault) words.push(element("p", "bad", fault));
    if (figures) {
      row.times = [figures.p50, figures.p90, figures.p99];
      const about = `${figures.runs} inferences; first ${ms(figures.first)}, `;
      words.push(element("p", "quiet", `${about}opened in ${ms(figures.load)}`));
    }
    if (apart && !apart.length) {
      const most = probability === 0
        ? "the same probabilities"
        : `probabilities at most ${probability.toExponential(1)} apart`;
      words.push(element("p", "good", `answers as exported: ${most}`));
    }
    if (apart && apart.length) {
      words.push(element("p", "bad", `other answers than at the export: ${apart.join("; ")}`));
    }
    words.push(...notes.map((note) => element("p", "quiet", note)));
    row.words.replaceChildren(...words);
    this.draw();
  }

  draw() {
    const longest = Math.max(...this.rows.map((row) => (row.times ? row.times[2] : 0)));
    for (const row of this.rows) {
      row.track.hidden = !row.times;
      if (!row.times) continue;
      row.head.textContent = `${row.times.map(shown).join(" / ")}\u00a0ms`;
      const sizes = [...row.times].reverse();
      row.bars.forEach((bar, place) => { bar.style.width = `${(100 * sizes[place]) / longest}%`; });
    }
  }
}
