/** The threads that stores of this process have, and their death: what a process cannot see of them, and a test must bring about. */
import { Worker } from "node:worker_threads";

const threads = new Set<Worker>();
const { postMessage } = Worker.prototype;

/** Nothing reaches any thread until what this answers is called, as when the thread takes long to start. */
export function holdMessages(): () => void {
  const sent = Worker.prototype.postMessage;
  const held: (() => void)[] = [];
  Worker.prototype.postMessage = function (this: Worker, ...message: Parameters<typeof postMessage>) {
    held.push(() => sent.apply(this, message));
  };
  return () => {
    Worker.prototype.postMessage = sent;
    for (const send of held) send();
  };
}

/** Those that have been told something so far. */
export function threadsSoFar(): ReadonlySet<Worker> {
  return new Set(threads);
}

/** Nothing reaches the threads that there are until what this answers is called, as when they are at something long. */
export function holdThreads(busy = threadsSoFar()): () => void {
  const sent = Worker.prototype.postMessage;
  const held: (() => void)[] = [];
  Worker.prototype.postMessage = function (this: Worker, ...message: Parameters<typeof postMessage>) {
    if (busy.has(this)) held.push(() => sent.apply(this, message));
    else sent.apply(this, message);
  };
  return () => {
    Worker.prototype.postMessage = sent;
    for (const send of held) send();
  };
}

/** The workers whose threads have renewed their leases from here on. */
export function noteBeats(): ReadonlySet<string> {
  const beaten = new Set<string>();
  const { emit } = Worker.prototype;
  Worker.prototype.emit = function (this: Worker, event: string, ...[message]: any[]) {
    if (event === "message" && message?.kind === "beat") beaten.add(message.workerId);
    return emit.call(this, event, message);
  } as typeof emit;
  return beaten;
}

/** From here on every thread that is told something can be ended. */
export function noteThreads(): void {
  Worker.prototype.postMessage = function (this: Worker, ...message: Parameters<typeof postMessage>) {
    threads.add(this);
    postMessage.apply(this, message);
  };
}

/** As when a thread is out of memory: whatever it is at, it does no more. Answers how many there were. */
export async function endThreads(): Promise<number> {
  // One that has exited has no number any more.
  const ended = [...threads].filter(({ threadId }) => threadId >= 0);
  threads.clear();
  await Promise.all(ended.map((thread) => thread.terminate()));
  return ended.length;
}
