/** Sums .cpuprofile files by function: node bench/support/profile-summary.ts <folder> [tasks]. Times are self times. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const shownMax = 28;
const [folder = ".", tasksText = "100000"] = process.argv.slice(2);
for (const name of readdirSync(folder).filter((file) => file.endsWith(".cpuprofile"))) summarize(name);

function summarize(name: string): void {
  const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as Profile;
  const places = new Map(profile.nodes.map((node) => [node.id, placeOf(node.callFrame)]));
  const micros = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const place = places.get(id)!;
    micros.set(place, (micros.get(place) ?? 0) + profile.timeDeltas[index]!);
  }
  const total = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0);
  console.log(`\n${name}: ${(total / 1e6).toFixed(2)} s`);
  const byTime = [...micros].sort((a, b) => b[1] - a[1]).slice(0, shownMax);
  for (const [place, time] of byTime) {
    const perTask = (time / Number(tasksText)).toFixed(2).padStart(8);
    console.log(`${perTask} µs/task ${((time / total) * 100).toFixed(1).padStart(5)} %  ${place}`);
  }
}

function placeOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const file = url.split("/").slice(-2).join("/");
  return `${functionName || "(anonymous)"} ${file}:${lineNumber + 1}`;
}
