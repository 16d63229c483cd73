// The page of the example: a live chart of the smoothed temperature, and the alerts as they come.
import init, { run } from "./built/sensors_in_a_tab.js";

/** How much of the signal the chart shows, in milliseconds, and between which degrees. */
const SHOWN = 2_000;
const [COLDEST, WARMEST] = [18, 32];
/** Above the one an alert is raised, below the other it is cleared. */
const LIMITS = [26, 24];

const [chart, latency, alerts] = ["#chart", "#latency", "#alerts"].map((id) => document.querySelector(id));
const pen = chart.getContext("2d");
/** The readings that are shown: [ms, °C], the oldest first. */
const readings = [];

const height = (celsius) => chart.height * (1 - (celsius - COLDEST) / (WARMEST - COLDEST));

function draw() {
  const end = Math.max(SHOWN, readings.at(-1)?.[0] ?? 0);
  const across = (at) => chart.width * (1 - (end - at) / SHOWN);
  pen.clearRect(0, 0, chart.width, chart.height);
  pen.strokeStyle = "#c33";
  for (const limit of LIMITS) pen.strokeRect(0, height(limit), chart.width, 0);
  pen.strokeStyle = "#36c";
  pen.beginPath();
  for (const [at, celsius] of readings) pen.lineTo(across(at), height(celsius));
  pen.stroke();
}

// Readings come each 4 ms, and a screen shows fewer: it is drawn when the browser draws.
let isDue = false;
function reading(at, celsius) {
  readings.push([at, celsius]);
  while (readings[0][0] < at - SHOWN) readings.shift();
  chart.dataset.readings = String(Number(chart.dataset.readings ?? 0) + 1);
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
  });
}

await init({ module_or_path: new URL("./built/sensors_in_a_tab_bg.wasm", import.meta.url) });
const [forPeople, forPrograms] = (await run(reading, (alert) => alerts.append(`${alert}\n`))).split("\n");
latency.dataset.row = forPrograms;
latency.textContent = forPeople;
