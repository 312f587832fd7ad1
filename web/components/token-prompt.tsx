/**
 * Asks for a token once the server has asked who is there; the server sets its cookie, and the page begins anew. Where
 * another server says who may come in there is no token: it is the one to sign in to.
 */
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { api } from "../api.ts";
import { useWords } from "../i18n/language.tsx";
import { Brand } from "./brand.tsx";
import { Button } from "./button.tsx";
import { Field, inputClass } from "./field.tsx";
import { useTitle } from "./page.tsx";
import styles from "./token-prompt.module.css";

export function TokenPrompt({ isLoggedOut }: { isLoggedOut: boolean }) {
  const words = useWords();
  const [token, setToken] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  useTitle(words.token);
  const { mutate, error, isPending } = useMutation({
    mutationFn: () => api.logIn(token.trim()),
    onSuccess: () => location.reload(),
  });
  const open = (event: FormEvent) => {
    event.preventDefault();
    mutate();
  };
  return (
    <main className={styles.page}>
      <form className={styles.card} onSubmit={open}>
        <Brand />
        <h1>{isLoggedOut ? words.loggedOutTitle : words.tokenTitle}</h1>
        <p>{isLoggedOut ? words.loggedOutText : words.tokenText}</p>
        <Field label={words.token} problem={error ? words.tokenRefused : undefined}>
          {(wiring) => (
            <input
              {...wiring}
              ref={input}
              className={inputClass}
              type="password"
              autoComplete="off"
              required
              value={token}
              onChange={(event) => setToken(event.target.value)}
            />
          )}
        </Field>
        <Button kind="main" type="submit" pending={isPending}>
          {words.open}
        </Button>
      </form>
    </main>
  );
}

export function Unknown() {
  const words = useWords();
  useTitle(words.unknownTitle);
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <Brand />
        <h1>{words.unknownTitle}</h1>
        <p>{words.unknownText}</p>
        <Button kind="main" onClick={() => location.reload()}>
          {words.tryAgain}
        </Button>
      </div>
    </main>
  );
}
