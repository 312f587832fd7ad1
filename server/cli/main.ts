#!/usr/bin/env node
/** The `dure` command. Looks at Node first, because everything else needs a new one; so it imports nothing before. */
const nodeMin = 24;

if (Number.parseInt(process.versions.node, 10) < nodeMin) {
  process.stderr.write(
    `dure needs Node ${nodeMin} or later; this is ${process.version}. Install a newer Node, then try again.\n`,
  );
  process.exitCode = 1;
} else {
  const { runCommandLine } = await import("./program.ts");
  await runCommandLine(process.argv.slice(2));
}

export {};
