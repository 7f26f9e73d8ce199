// The panel Upkeep: what is looked after by itself, and what can be done now.

import { upkeep } from "./api.js";
import { announce, button, card, h, notice } from "./dom.js";
import { ago, bytes, time } from "./format.js";
import { begin, loaded } from "./panel.js";
import { problem } from "./problem.js";

const OPERATIONS = { optimize: "Refresh the query planner", checkpoint: "Write the log back", vacuum: "Give free pages back", collect: "Remove unnamed blobs" };
const named = (operation) => OPERATIONS[operation] ?? operation;

function outcome(result) {
  if (result.failure) return h("li", {}, h("span", {}, `${result.store}: ${named(result.operation)}`), h("span", { class: "tag bad" }, result.failure));
  const saved = result.bytes_before - result.bytes_after;
  const told = saved > 0 ? `${bytes(saved)} less` : "done";
  return h("li", {}, h("span", {}, `${result.store}: ${named(result.operation)}`), h("span", { class: "muted small" }, `${told} · ${result.took_ms} ms`));
}

function table(tasks) {
  const row = (task) => h("tr", {},
    h("td", { class: "strong" }, task.store), h("td", {}, named(task.operation)),
    h("td", { title: time(task.last) }, ago(task.last)), h("td", { title: time(task.next, "") }, ago(task.next, Date.now(), "turned off")),
    h("td", {}, task.failure ? h("span", { class: "tag bad" }, task.failure) : h("span", { class: "tag good" }, "fine")));
  const head = ["Store", "What", "Last", "Next", "State"].map((name) => h("th", { scope: "col" }, name));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Upkeep" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, tasks.map(row))));
}

/** Shows the panel. */
export async function upkeepPanel(main) {
  begin(main, "Upkeep", "Databases and blobs are looked after by themselves, when nobody works with them.");
  const results = h("ul", { class: "list", "aria-live": "polite" });
  const failed = h("div", {});
  const [place, reload] = loaded(async () => {
    const { tasks, excluded = [] } = await upkeep.status();
    return [
      tasks.length > 0 ? table(tasks) : h("p", { class: "muted" }, "There is nothing that upkeep looks after: no database, no store of blobs."),
      excluded.length > 0 && h("p", { class: "muted small" }, `Left out by the configuration: ${excluded.join(", ")}`),
    ];
  });
  const run = button("Run all of it now", async () => {
    results.replaceChildren();
    failed.replaceChildren();
    let done = 0;
    try {
      await upkeep.run({}, (event, result) => {
        if (event === "done") return;
        done += 1;
        results.append(outcome(result));
      });
      if (done === 0) failed.append(notice("", h("p", {}, "There was nothing to do.")));
      announce(`Upkeep: ${done} done`);
    } catch (error) {
      failed.append(problem(error));
    }
    await reload();
  }, "main", { id: "run-upkeep" });
  main.append(card("Schedule", run, failed, results, place));
}
