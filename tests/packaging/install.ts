/** The package, packed and installed in a folder of its own, as those who use it get it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { type Ended, root, run } from "../support/project.ts";
import { productionFolders, readLockfile } from "./lockfile.ts";

export interface PackedFile {
  path: string;
  mode: number;
}

/** Packs what is built. Answers the tarball's place and what is in it. */
export async function pack(folder: string): Promise<{ tarball: string; files: PackedFile[] }> {
  const packed = await npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder);
  const [{ filename, files }] = JSON.parse(packed.stdout);
  const tarball = join(folder, "dure.tgz");
  writeFileSync(tarball, readFileSync(join(folder, filename)));
  return { tarball, files };
}

/** Installs the tarball beside its dependencies, without a registry. */
export async function install(tarball: string, program: string): Promise<void> {
  const copies = productionFolders(readLockfile()).map((name) => [
    name.replace(/^.*node_modules\//, ""),
    `file:${join(root, name)}`,
  ]);
  const dependencies = { ...Object.fromEntries(copies), dure: `file:${tarball}` };
  mkdirSync(program, { recursive: true });
  writeFileSync(join(program, "package.json"), JSON.stringify({ type: "module", dependencies }));
  const flags = ["--offline", "--install-links", "--omit=optional", "--ignore-scripts", "--no-audit"];
  const installed = await npm(program, "install", ...flags);
  if (installed.code !== 0) throw new Error(installed.stderr);
}

/** npm, with this Node for whatever it starts. */
export async function npm(cwd: string, ...args: string[]): Promise<Ended> {
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
  return run("env", [`PATH=${path}`, "npm", ...args], cwd);
}
