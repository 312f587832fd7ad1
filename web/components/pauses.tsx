/** What is paused, and the switch that pauses and resumes it. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, type PauseKind } from "../api.ts";
import type { PauseDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { useTelling } from "../telling.ts";
import { RoleButton } from "./button.tsx";
import { Icon } from "./icon.tsx";
import styles from "./pauses.module.css";
import { useToast } from "./toast.tsx";

/** Beside the name of a type; says since when and why. */
export function PausedMark({ pause }: { pause: PauseDocument | undefined }) {
  const words = useWords();
  const format = useFormat();
  if (!pause) return null;
  const since = words.pausedSince(format.dayTime(new Date(pause.pausedAt)), pause.reason);
  return (
    <span className={styles.mark} title={since}>
      {words.paused}
    </span>
  );
}

/** Queues stand in no table of their own. */
export function PausedQueues({ pauses }: { pauses: readonly PauseDocument[] }) {
  const words = useWords();
  const format = useFormat();
  return pauses.map(({ queue, pausedAt, reason }) =>
    queue === undefined ? null : (
      <p key={queue} className={styles.queue}>
        <span>
          {words.pausedQueue(queue)}
          {" – "}
          {words.pausedSince(format.dayTime(new Date(pausedAt)), reason)}
        </span>
        <PauseSwitch kind="queue" name={queue} isPaused />
      </p>
    ),
  );
}

export function PauseSwitch({ kind, name, isPaused }: { kind: PauseKind; name: string; isPaused: boolean }) {
  const words = useWords();
  const tell = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: async () => {
      await (isPaused ? api.resume(kind, name) : api.pause(kind, name));
    },
    onSuccess: () => say(isPaused ? words.nowResumed(name) : words.nowPaused(name)),
    onError: (error) => say(tell(error), true),
    onSettled: () => client.invalidateQueries({ queryKey: ["pauses"] }),
  });
  return (
    <RoleButton
      needs="operator"
      small
      kind={isPaused ? "plain" : "quiet"}
      aria-label={isPaused ? words.resumeName(name) : words.pauseType(name)}
      pending={change.isPending}
      onClick={() => change.mutate()}
    >
      <span className={styles.sign}>
        <Icon name={isPaused ? "resume" : "pause"} size={14} />
      </span>
      <span className={styles.word}>{isPaused ? words.resume : words.pause}</span>
    </RoleButton>
  );
}
