// What htmx does not do: the charts, the states in the drawing, the theme.
"use strict";
(() => {
  const root = document.documentElement;
  const $ = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Theme
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const toggle = document.getElementById("theme");
  const restyle = [];
  toggle?.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("bedplate-theme", root.dataset.theme);
    restyle.forEach(draw => draw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => restyle.forEach(draw => draw()));

  // On a narrow screen, the name of the page may be out of sight in the list of all
  // (not by scrollIntoView(), after which the next Tab would begin there)
  const names = document.querySelector(".top nav"), here = names?.querySelector("[aria-current]");
  if (here) names.scrollLeft = here.offsetLeft - names.offsetLeft - (names.clientWidth - here.offsetWidth) / 2;

  // Figures for people
  const minutes = seconds => seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  const milliseconds = value => value < 1 ? `${Math.round(value * 1e3)} µs` : value < 1e3 ? `${+value.toPrecision(3)} ms` : value < 59_995 ? `${(value / 1e3).toFixed(2)} s` : minutes(Math.round(value / 1e3));
  const written = {
    rate: value => `${value < 10 ? +value.toFixed(1) : Math.round(value)}/s`,
    ms: milliseconds,
    count: value => String(Math.round(value * 10) / 10),
    share: value => `${Math.round(value * 100)} %`,
  };

  // Times: the server's pages have those of UTC, which are read in the zone of whoever looks
  const AGES = [["d", 86_400, 84_600], ["h", 3_600, 3_570], ["min", 60, 59.5], ["s", 1, 0]];
  const span = seconds => {
    const [unit, length] = AGES.find(([, , least]) => seconds >= least);
    return `${Math.max(Math.round(seconds / length), seconds < 1 ? 0 : 1)} ${unit}`;
  };
  const ago = seconds => seconds < 0 ? `in ${span(-seconds)}` : seconds < 1 ? "just now" : `${span(seconds)} ago`;
  const localise = () => {
    for (const time of $("time:not([data-local])")) {
      const moment = new Date(time.dateTime);
      time.dataset.local = "";
      time.title = moment.toLocaleString([], {dateStyle: "medium", timeStyle: "long"});
      if ("clock" in time.dataset) time.textContent = `${clock(moment / 1e3)}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
    }
  };
  document.body.addEventListener("htmx:load", localise);

  // What goes on takes longer each second, and what is over gets older; a clock that is wrong here makes no difference
  const age = now => {
    for (const time of $("time[data-when]")) time.textContent = ago((now - Date.parse(time.dateTime)) / 1e3);
    for (const one of $("[data-since]")) one.textContent = milliseconds(Math.max(now - Date.parse(one.dataset.since), 0));
    const steps = document.querySelector(".spans[data-begun]");
    if (!steps) return;
    const drawn = Number(steps.dataset.ms), whole = Math.max(now - Date.parse(steps.dataset.begun), drawn), wide = 1000 * whole / drawn;
    for (const svg of $("svg", steps)) svg.setAttribute("viewBox", `0 0 ${wide} 10`);
    for (const bar of $("rect", steps)) {
      bar.dataset.width ??= bar.getAttribute("width");
      bar.setAttribute("width", bar.closest("[data-health=running]") ? wide - bar.getAttribute("x") : Math.max(bar.dataset.width, wide / 500));
    }
    $(".ticks div span").forEach((tick, at, all) => { if (at) tick.textContent = milliseconds(whole * at / (all.length - 1)); });
  };

  const clock = seconds => new Date(seconds * 1e3).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false});

  // Charts
  const KEPT = 600;
  // Values that no line leads to, or from, are points
  const alone = (plot, line) => plot.data[line].flatMap((value, at, all) => value !== null && (all[at - 1] ?? null) === null && (all[at + 1] ?? null) === null ? [at] : []);
  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.unit = figure.dataset.unit;
      this.keys = figure.dataset.lines.split(",");
      this.labels = figure.dataset.labels.split(",");
      this.data = [[], ...this.keys.map(() => [])];
      this.now = figure.querySelector(".now");
      this.place = figure.querySelector(".plot");
      this.draw();
      restyle.push(() => this.draw());
      new ResizeObserver(() => this.plot.setSize(this.size())).observe(this.place);
    }
    size() { return {width: Math.max(this.place.clientWidth, 100), height: 120}; }
    draw() {
      this.plot?.destroy();
      const style = getComputedStyle(root), colour = name => style.getPropertyValue(name).trim();
      const axis = {stroke: colour("--soft"), grid: {stroke: colour("--line"), width: 1}, ticks: {show: false}, font: "11px system-ui"};
      const lines = this.keys.map((_, at) => {
        const stroke = colour(at ? "--two" : "--one");
        return {stroke, width: 1.8, fill: at ? undefined : `${stroke}22`, spanGaps: false, points: {show: true, size: 4, width: 0, fill: stroke, filter: alone}};
      });
      this.plot = new uPlot({
        ...this.size(),
        legend: {show: false},
        cursor: {y: false, drag: {x: false, y: false}},
        scales: {x: {range: (_, low, high) => [Math.min(low ?? 0, (high ?? 0) - 60), high ?? 1]}, y: {range: (_, low, high) => this.unit === "share" ? [0, 1] : [0, Math.max((high || 0) * 1.15, this.unit === "ms" ? 1 : 2)]}},
        series: [{}, ...lines],
        padding: [8, 26, 0, 0],
        axes: [{...axis, space: 64, size: 24, grid: {show: false}, values: (_, ticks) => ticks.map(clock)}, {...axis, size: 52, space: 34, values: (_, ticks) => ticks.map(written[this.unit])}],
        hooks: {setCursor: [plot => this.tell(plot.cursor.idx)]},
      }, this.data, this.place);
    }
    take(moments) {
      for (const one of moments) {
        this.data[0].push(one.at);
        this.keys.forEach((key, at) => this.data[at + 1].push(one[key] ?? null));
      }
      const over = this.data[0].length - KEPT;
      if (over > 0) this.data = this.data.map(column => column.slice(over));
      this.plot.setData(this.data);
      this.tell(null);
    }
    clear() { this.data = this.data.map(() => []); }
    tell(at) {
      const last = at ?? this.data[0].length - 1;
      const parts = this.keys.map((_, line) => this.data[line + 1][last] ?? null);
      this.now.replaceChildren(...parts.map((value, line) => {
        const span = document.createElement("span"), label = document.createElement("small");
        label.textContent = ` ${this.labels[line]}`;
        span.append(value === null ? "–" : written[this.unit](value), label);
        return span;
      }));
    }
  }
  const charts = $(".chart").map(figure => new Chart(figure));

  // States
  const summary = document.getElementById("summary");
  const show = states => {
    for (const element of $("[data-service]")) {
      const own = states[element.dataset.service];
      if (!own) continue;
      const word = own.health === "none" ? own.state : own.health;
      if (element.dataset.health !== own.health) element.dataset.health = own.health;
      if (element.matches(".summary")) element.textContent = word;
      const plain = element.querySelector(".word");
      if (plain) plain.textContent = word;
      const state = element.querySelector(".state");
      if (state) {
        if (state.textContent !== word) state.textContent = word;
        element.querySelector(".time").textContent = own.rate === undefined ? "" : written.rate(own.rate) + (own.ms === null ? "" : ` · ${milliseconds(own.ms)}`);
        element.setAttribute("aria-label", `${element.dataset.service}: ${word}${own.reason ? `, ${own.reason}` : ""}`);
      }
    }
    if (!summary) return;
    const found = $("svg [data-service]"), bad = found.filter(one => !["up", "none"].includes(one.dataset.health));
    const worst = bad.some(one => one.dataset.health === "down") ? "down" : bad.length ? "degraded" : "up";
    const text = bad.length ? `${bad.length} of ${found.length} services ${worst === "down" ? "down or degraded" : "degraded"}` : `all ${found.length} services up`;
    if (summary.textContent !== text) summary.textContent = text;
    summary.dataset.health = worst;
  };
  if (summary) show(Object.fromEntries($("svg [data-service]").map(one => [one.dataset.service, {health: one.dataset.health, latency: null, state: one.querySelector(".state").textContent}])));

  // The drawing: what a service needs, and what needs it
  const drawing = document.querySelector(".drawing svg");
  const look = name => {
    drawing.classList.toggle("looking", Boolean(name));
    const near = new Set([name]);
    for (const line of $(".lines path", drawing)) {
      const on = line.dataset.from === name || line.dataset.to === name;
      line.classList.toggle("on", on);
      if (on) near.add(line.dataset.from).add(line.dataset.to);
    }
    for (const one of $("a.service", drawing)) one.classList.toggle("on", near.has(one.dataset.service) && Boolean(name));
  };
  for (const one of drawing ? $("a.service", drawing) : []) {
    for (const event of ["mouseenter", "focus"]) one.addEventListener(event, () => look(one.dataset.service));
    for (const event of ["mouseleave", "blur"]) one.addEventListener(event, () => look(""));
  }

  // The stream
  const connection = document.getElementById("connection");
  const connected = (state, text) => {
    connection.dataset.state = state;
    if (connection.textContent !== text) connection.textContent = text;
  };
  const known = new WeakSet();
  document.body.addEventListener("htmx:sseOpen", event => {
    const opened = event.detail.source;
    connected("live", "live");
    if (known.has(opened)) return;
    known.add(opened);
    const on = (name, take) => opened.addEventListener(name, message => take(JSON.parse(message.data)));
    on("history", moments => charts.forEach(chart => { chart.clear(); chart.take(moments); }));
    on("moment", moment => { charts.forEach(chart => chart.take([moment])); age(moment.at * 1e3); });
    on("services", show);
    on("goodbye", () => { opened.close(); location.reload(); });
  });
  document.body.addEventListener("htmx:sseError", event => {
    connected("lost", "reconnecting");
    if (event.detail.source.readyState === EventSource.CLOSED) leaveIfRefused();
  });
  // A stream does not say why it was refused: where the session has ended, the page that it is for does
  const leaveIfRefused = () => fetch(location.href, {method: "HEAD", headers: {"HX-Request": "true"}}).then(
    answer => { if ([401, 403].includes(answer.status)) location.reload(); },
    () => {},
  );

  // A page that nobody looks at gives its connection back: browsers have few for each server
  const PATIENCE = 5 * 60_000;
  const sources = new Set();
  let pausing, paused = false;
  document.body.addEventListener("htmx:sseOpen", event => sources.add(event.detail.source));
  document.addEventListener("visibilitychange", () => {
    clearTimeout(pausing);
    if (!document.hidden) {
      if (paused) location.reload();
      return;
    }
    pausing = setTimeout(() => {
      sources.forEach(source => source.close());
      paused = true;
      connected("waiting", "paused");
    }, PATIENCE);
  });

  // The chosen step stays marked, also when the steps are drawn anew
  let step = "";
  const mark = () => {
    for (const one of $(".spans a[aria-current]")) one.removeAttribute("aria-current");
    if (step) document.getElementById(step)?.setAttribute("aria-current", "true");
  };
  document.body.addEventListener("htmx:beforeRequest", event => {
    const chosen = event.target.closest?.(".spans a");
    if (chosen) { step = chosen.id; mark(); }
  });
  document.body.addEventListener("htmx:afterSettle", mark);

  // What somebody has marked, to copy it, is not drawn anew under his hands; nor does what he has closed open again
  let opened = new Map();
  const parts = () => $("main details").map(one => [one.querySelector("summary").textContent, one]);
  document.body.addEventListener("htmx:beforeRequest", event => {
    const marked = getSelection();
    if (!marked.isCollapsed && event.detail.requestConfig.triggeringEvent?.type.startsWith("sse:") && event.detail.target.contains(marked.anchorNode)) event.preventDefault();
  });
  document.body.addEventListener("htmx:beforeSwap", () => { opened = new Map(parts().map(([name, one]) => [name, one.open])); });
  document.body.addEventListener("htmx:afterSwap", () => parts().forEach(([name, one]) => { if (opened.has(name)) one.open = opened.get(name); }));

  // Steps that are drawn anew stay where they were scrolled to
  let scrolled = 0;
  const fall = () => document.querySelector(".fall");
  document.body.addEventListener("htmx:beforeSwap", () => { scrolled = fall()?.scrollTop ?? 0; });
  document.body.addEventListener("htmx:afterSwap", () => { if (fall()) fall().scrollTop = scrolled; });

  // The log of a job that goes on for long keeps its end
  document.body.addEventListener("htmx:sseMessage", event => {
    const events = event.target.closest?.("#events");
    while (events && events.children.length > 1000) events.firstElementChild.remove();
  });

  // What went wrong with a request
  const toast = document.getElementById("toast");
  let hiding;
  const complain = text => {
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(hiding);
    hiding = setTimeout(() => { toast.hidden = true; }, 8000);
  };
  document.body.addEventListener("htmx:responseError", event => {
    const problem = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html").querySelector("h1");
    complain(problem?.textContent || `The server answered ${event.detail.xhr.status}`);
  });
  document.body.addEventListener("htmx:sendError", () => complain("The server does not answer"));
})();
