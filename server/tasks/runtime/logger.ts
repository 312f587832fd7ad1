/** Where Dure says what went wrong outside any task. */

/** Called with one sentence and its values as data. What it throws or rejects with is passed over. */
export interface Logger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** One line each on stderr, as text a person reads; `info` is left out. */
export const stderrLogger: Logger = {
  info() {},
  warn: (message, fields) => writeLine("warning", message, fields),
  error: (message, fields) => writeLine("error", message, fields),
};

/** The same logger, except that nothing it throws comes back, now or later: there is nobody left to tell. */
export function safeLogger(logger: Logger): Logger {
  const guarded =
    (level: keyof Logger) =>
    (message: string, fields?: Record<string, unknown>): void =>
      guard(() => logger[level](message, fields));
  return { info: guarded("info"), warn: guarded("warn"), error: guarded("error") };
}

/** Calls what is the program's own; whatever it throws, or its promise is rejected with, must not take a worker with it. */
export function guard(call: () => unknown, failed: (error: unknown) => void = () => undefined): void {
  try {
    const answer = call();
    if (answer instanceof Promise) answer.catch(failed);
  } catch (error) {
    failed(error);
  }
}

function writeLine(level: string, message: string, fields: Record<string, unknown> | undefined): void {
  const tail = fields && Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : "";
  process.stderr.write(
    `dure ${level}: ${`${message}${tail}`.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ")}\n`,
  );
}
