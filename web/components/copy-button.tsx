/** Copies a text, and says that it did. */
import { useEffect, useState } from "react";
import { useWords } from "../i18n/language.tsx";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";
import { useToast } from "./toast.tsx";

const thanksMs = 1500;

export function CopyButton({ text, label }: { text: string; label: string }) {
  const words = useWords();
  const say = useToast();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), thanksMs);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () =>
    // Absent where the page is served without TLS from another machine.
    (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("clipboard"))).then(
      () => setCopied(true),
      () => say(text),
    );
  return (
    <Button kind="quiet" small aria-label={copied ? words.copied : label} title={label} onClick={copy}>
      <Icon name={copied ? "check" : "copy"} size={14} />
    </Button>
  );
}
