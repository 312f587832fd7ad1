/** The bar of long work: drawn on a terminal only, and gone when the work is. */
import ProgressBar from "progress";
import { formatDuration } from "../tasks/core/duration.ts";
import type { Output } from "./output.ts";
import { counted } from "./text.ts";

const width = 40;

export interface Bar {
  /** So much of `total` is done; the first call draws the bar. Nothing after `end`. */
  update(done: number, total: number, what: string): void;
  end(): void;
}

export function progressBar(output: Output): Bar {
  const startedAt = performance.now();
  let bar: ProgressBar | undefined;
  let ended = !output.drawsProgress;
  return {
    update(done, total, what) {
      if (ended || total <= 0) return;
      bar ??= barOf(total, what);
      const share = Math.min(1, Math.max(0, done / total));
      bar.update(share, { left: leftText(share, performance.now() - startedAt) });
      // The bar takes itself away at its total.
      ended = bar.complete;
    },
    end() {
      if (!ended) bar?.terminate();
      ended = true;
    },
  };
}

function barOf(total: number, what: string): ProgressBar {
  const format = `:bar :percent of ${counted(total, what)}:left`;
  return new ProgressBar(format, { total, width, complete: "█", incomplete: "░", clear: true });
}

/** `, 4.2s left`, once there is something to judge by. */
function leftText(share: number, elapsedMs: number): string {
  return share === 0 ? "" : `, ${formatDuration(elapsedMs * (1 / share - 1))} left`;
}
