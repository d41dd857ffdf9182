// The live page: countdowns, the training curve, the report once the round is over, and word of a lost connection.
"use strict";
(() => {
  const left = (seconds) => {
    if (seconds <= 0) return "no time: it closes with the next block";
    const [days, rest] = [Math.floor(seconds / 86400), seconds % 86400];
    const parts = [rest / 3600, (rest % 3600) / 60, rest % 60].map((part) => String(Math.floor(part)).padStart(2, "0"));
    return (days ? `${days} d ` : "") + parts.join(":");
  };

  const count = () => {
    for (const each of document.querySelectorAll("[data-closes]")) {
      const now = Date.now() / 1000 + Number(each.dataset.ahead);
      const text = left(Math.ceil(Number(each.dataset.closes) - now));
      if (each.textContent !== text) each.textContent = text;
    }
  };

  const HEIGHT = 260;
  let plot = null;
  const draw = () => {
    const place = document.getElementById("curve");
    if (!place) {
      plot?.destroy();
      plot = null;
      return;
    }
    const points = JSON.parse(place.dataset.curve);
    const data = [0, 1, 2].map((column) => points.map((point) => point[column]));
    if (plot && plot.root.isConnected) {
      plot.setData(data);
      return;
    }
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const line = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--ink"), grid: line, ticks: line };
    const percent = (u, splits) => splits.map((each) => `${Math.round(each * 100)} %`);
    // UTC, as everywhere on the page: with seconds where little time is shown, with the day where more than one is.
    const utc = (u, splits) => {
      const span = splits.at(-1) - splits[0];
      const [first, last] = span < 600 ? [11, 19] : span < 86400 ? [11, 16] : [5, 16];
      return splits.map((each) => new Date(each * 1000).toISOString().slice(first, last).replace("T", " "));
    };
    const paths = uPlot.paths.stepped({ align: 1 });
    plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        cursor: { show: false },
        tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "UTC"),
        // Of the points themselves: for a single one uPlot would show years.
        scales: { x: { range: (u) => [u.data[0][0], Math.max(u.data[0].at(-1), u.data[0][0] + 60)] }, y: { range: [0, 1] } },
        axes: [
          { ...axis, label: "UTC", values: utc, space: 90 },
          { ...axis, label: "recorded", values: percent, size: 60 },
        ],
        series: [
          { label: "time" },
          { label: "updates of the base stations", stroke: colour("--series-1"), width: 2, paths, points: { show: true } },
          { label: "global rounds of the winner", stroke: colour("--series-2"), width: 2, dash: [6, 4], paths },
        ],
        legend: { live: false },
      },
      data,
      place,
    );
  };

  let shown = "";
  const report = () => {
    const over = document.getElementById("over");
    const version = over?.dataset.report ?? "";
    if (version === shown) return;
    shown = version;
    const place = document.getElementById("report");
    if (version) htmx.ajax("GET", over.dataset.url, { target: place, swap: "innerMorph" });
    else place?.replaceChildren();
  };

  const lost = (words) => {
    document.getElementById("lost").textContent = words;
  };

  const update = () => {
    count();
    draw();
    report();
    document.dispatchEvent(new Event("hcfl:changed"));
  };

  document.addEventListener("htmx:after:swap", update);
  document.addEventListener("htmx:sse:after:connection", () => lost(""));
  for (const name of ["htmx:sse:error", "htmx:sse:close"]) {
    document.addEventListener(name, () => lost("The connection is lost; this page tries to get it back."));
  }
  addEventListener("resize", () => {
    const place = document.getElementById("curve");
    if (plot && place) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  });
  setInterval(count, 1000);
  update();
})();
