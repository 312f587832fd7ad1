/** Which language the dashboard speaks: the reader's choice, kept in this browser, else the browser's own. */
import { createContext, type ReactNode, use, useMemo, useState } from "react";
import { recall, remember } from "../preferences.ts";
import { en, type Messages } from "./en.ts";
import { ko } from "./ko.ts";

export const languages = { en, ko } as const;
export type Language = keyof typeof languages;

interface Speech {
  language: Language;
  words: Messages;
  speak(language: Language): void;
}

const SpeechContext = createContext<Speech>({ language: "en", words: en, speak: () => {} });

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const speech = useMemo<Speech>(() => {
    document.documentElement.lang = language;
    return {
      language,
      words: languages[language],
      speak: (next) => {
        remember("language", next);
        setLanguage(next);
      },
    };
  }, [language]);
  return <SpeechContext value={speech}>{children}</SpeechContext>;
}

/** The words of the language in use. */
export function useWords(): Messages {
  return use(SpeechContext).words;
}

export function useSpeech(): Speech {
  return use(SpeechContext);
}

function firstLanguage(): Language {
  const kept = recall("language");
  if (kept === "en" || kept === "ko") return kept;
  return navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en";
}
