/**
 * Reports of progress and logs that are under way. They go out on connections of their own, so that a settlement could
 * overtake the last report of its attempt, which would then find the attempt ended and be dropped.
 */
export class ReportsUnderWay {
  readonly #byTask = new Map<string, Promise<unknown>>();

  add<Answer>(of: readonly OfTask[], report: Promise<Answer>): Promise<Answer> {
    for (const { taskId } of of) this.#byTask.set(taskId, report);
    const forget = () => {
      for (const { taskId } of of) if (this.#byTask.get(taskId) === report) this.#byTask.delete(taskId);
    };
    report.then(forget, forget);
    return report;
  }

  /** Resolves when the latest of each task have come to their ends, well or not; undefined when none is under way. */
  endOf(of: readonly OfTask[]): Promise<unknown> | undefined {
    if (this.#byTask.size === 0) return undefined;
    return Promise.allSettled(of.map(({ taskId }) => this.#byTask.get(taskId)));
  }
}

type OfTask = Readonly<{ taskId: string }>;
