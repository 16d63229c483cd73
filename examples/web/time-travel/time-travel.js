// A slider through a key's history: what the value was at a moment, and what has changed since the version before.
import { Anabranch } from "../anabranch/index.js";

const db = await Anabranch.open({ storage: "opfs", name: "time-travel" });
const [slider, value, moment, changes] = ["#time", "#value", "#moment", "#changes"].map((id) => document.querySelector(id));
/** The times of all versions, the oldest first. @type {string[]} */
const times = [];

async function show() {
  const at = times[slider.valueAsNumber];
  if (at === undefined) return;
  const version = await db.getVersionAt("rooms", "kitchen", at);
  const { celsius, people } = /** @type {{ celsius: number, people: number }} */ (version.value);
  value.textContent = `${celsius} °C, ${people} in the room`;
  moment.textContent = at;
  const { previousVersion: before, versionId } = version;
  const diff = before === undefined ? undefined : await db.diff("rooms", "kitchen", before, versionId);
  changes.replaceChildren(
    ...(diff?.changes ?? []).map(({ path, before, after }) => {
      const line = document.createElement("li");
      line.textContent = `${path}: ${before} → ${after}`;
      return line;
    }),
  );
}

slider.addEventListener("input", show);
const measure = document.querySelector("#measure");
measure.disabled = false;
measure.addEventListener("click", () => {
  const n = times.length;
  void db.put("rooms", "kitchen", { celsius: 20 + (n % 5) / 2, people: n % 3 });
});

// Each version, those of before and those to come, is one more place on the slider.
db.subscribe("rooms", { prefix: "kitchen", from: "beginning" }, ({ timestamp }) => {
  const wasAtEnd = slider.valueAsNumber === times.length - 1 || times.length === 0;
  times.push(timestamp);
  slider.max = String(times.length - 1);
  if (wasAtEnd) slider.value = slider.max;
  void show();
});
