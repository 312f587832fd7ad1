/** The worker of an instance from its start to its stop. */
import type { SystemClock } from "./tasks/runtime/system-clock.ts";
import type { WorkerService } from "./tasks/runtime/worker-service.ts";

/** One start of the worker, up to its stop; keeps the process alive in between. */
export class StartedWorker {
  readonly started: Promise<WorkerService>;
  readonly #letEnd: () => void;
  #stopped: Promise<{ released: number }> | undefined;

  constructor(clock: SystemClock, make: () => Promise<WorkerService>) {
    this.#letEnd = clock.keepAlive();
    this.started = this.#start(make);
  }

  /** A worker that is still starting is stopped as soon as it has started. */
  async stop(now: boolean): Promise<{ released: number }> {
    const service = await this.started.catch(() => undefined);
    if (!service) return { released: 0 };
    const stopped = service.stop({ now });
    this.#stopped ??= stopped.finally(this.#letEnd);
    return this.#stopped;
  }

  async #start(make: () => Promise<WorkerService>): Promise<WorkerService> {
    try {
      const service = await make();
      await service.start();
      return service;
    } catch (error) {
      this.#letEnd();
      throw error;
    }
  }
}
