/** The same drain in a file that already holds many finished tasks: `--database` names one made by history.ts. */
await import("./drain.ts");
