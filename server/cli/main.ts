#!/usr/bin/env node
/** The `dure` command. Looks at Node first, because everything else needs a new one; so it imports nothing before. */
const nodeMin = [24, 15] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < nodeMin[0] || (major === nodeMin[0] && minor < nodeMin[1])) {
  process.stderr.write(
    `dure needs Node ${nodeMin.join(".")} or later; this is ${process.version}. Install a newer Node, then try again.\n`,
  );
  process.exitCode = 1;
} else {
  const { runCommandLine } = await import("./program.ts");
  await runCommandLine(process.argv.slice(2));
}

export {};
