/** The frame around every page: navigation, live mark, theme and language, shortcuts, and the token prompt. */
import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { focusContent, useKeptFocus } from "../focus.ts";
import { useSpeech, useWords } from "../i18n/language.tsx";
import { useShortcuts } from "../keyboard.ts";
import { ChangesContext, type LiveState, useLiveStream } from "../live.ts";
import { useSessionState } from "../session.ts";
import { themes, useTheme } from "../theme.ts";
import { Brand } from "./brand.tsx";
import { Icon, type IconName } from "./icon.tsx";
import { Logout } from "./logout.tsx";
import styles from "./shell.module.css";
import { ShortcutHelp } from "./shortcut-help.tsx";
import { TokenPrompt, Unknown } from "./token-prompt.tsx";

export const places = [
  { to: "/", word: "overview", icon: "overview", key: "o" },
  { to: "/tasks", word: "tasks", icon: "tasks", key: "t" },
  { to: "/errors", word: "errors", icon: "errors", key: "e" },
  { to: "/workers", word: "workers", icon: "workers", key: "w" },
  { to: "/definitions", word: "definitions", icon: "definitions", key: "d" },
  { to: "/audit", word: "audit", icon: "audit", key: "a" },
] as const satisfies readonly { to: string; word: string; icon: IconName; key: string }[];

export function Shell() {
  const words = useWords();
  const session = useSessionState();
  const { state, changes } = useLiveStream(session === "in");
  const isLost = useLasting(session === "in" && state !== "live");
  const [helpOpen, setHelpOpen] = useState(false);
  usePlaceShortcuts(() => setHelpOpen(true));
  useKeptFocus();
  if (session === "unknown") return <Unknown />;
  if (session !== "in") return <TokenPrompt isLoggedOut={session === "out"} />;
  return (
    <ChangesContext value={changes}>
      {/* Not a link: `<base href>` makes a bare fragment an address of the base page. */}
      <button type="button" className={styles.skip} onClick={focusContent}>
        {words.skipToContent}
      </button>
      <div className={styles.whole}>
        {isLost && (
          <p className={styles.lost} role="status">
            {words.notLive}
          </p>
        )}
        <div className={styles.frame}>
          <header className={styles.side}>
            <Link to="/" className={styles.brand}>
              <Brand />
              Dure
            </Link>
            <Navigation />
            <div className={styles.foot}>
              <LiveMark state={state} />
              <Logout />
              <ThemeSwitch />
              <LanguageSwitch />
              <button
                type="button"
                className={styles.footButton}
                aria-label={words.keyboardHelp}
                title={`${words.keyboardHelp} (?)`}
                onClick={() => setHelpOpen(true)}
              >
                <Icon name="keyboard" />
              </button>
            </div>
          </header>
          <main id="content" className={styles.content} tabIndex={-1}>
            <Outlet />
          </main>
        </div>
      </div>
      {helpOpen && <ShortcutHelp onClose={() => setHelpOpen(false)} />}
    </ChangesContext>
  );
}

function Navigation() {
  const words = useWords();
  return (
    <nav className={styles.navigation} aria-label={words.mainNavigation}>
      {places.map(({ to, word, icon }) => (
        <Link
          key={to}
          to={to}
          className={styles.place!}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          activeProps={{ className: styles.here! }}
        >
          <Icon name={icon} />
          <span>{words[word]}</span>
        </Link>
      ))}
    </nav>
  );
}

function usePlaceShortcuts(openHelp: () => void) {
  const navigate = useNavigate();
  useShortcuts({
    "?": openHelp,
    "/": async () => {
      if (!focusSearch()) {
        await navigate({ to: "/tasks" });
        requestAnimationFrame(focusSearch);
      }
    },
    ...Object.fromEntries(places.map(({ to, key }) => [`g ${key}`, () => navigate({ to })])),
  });
}

function focusSearch(): boolean {
  const box = document.querySelector<HTMLInputElement>("[data-search]");
  box?.focus();
  box?.select();
  return box !== null;
}

/** A stream that comes back sooner is not worth a line. */
const lostAfterMs = 4_000;

/** Whether something holds for longer than a moment. */
function useLasting(holds: boolean): boolean {
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    if (!holds) return;
    const timer = setTimeout(() => setLasts(true), lostAfterMs);
    return () => {
      clearTimeout(timer);
      setLasts(false);
    };
  }, [holds]);
  return lasts;
}

function LiveMark({ state }: { state: LiveState }) {
  const words = useWords();
  const text = {
    opening: undefined,
    live: words.live,
    reconnecting: words.reconnecting,
    offline: words.offline,
  }[state];
  return (
    <span className={styles.liveMark} title={text}>
      <span className={`${styles.dot} ${styles[state]}`} />
      <span className={styles.liveText}>{text}</span>
    </span>
  );
}

const themeIcons = { system: "system", light: "sun", dark: "moon" } as const;

function ThemeSwitch() {
  const words = useWords();
  const [theme, choose] = useTheme();
  const label = { system: words.themeSystem, light: words.themeLight, dark: words.themeDark }[theme];
  const next = themes[(themes.indexOf(theme) + 1) % themes.length]!;
  return (
    <button
      type="button"
      className={styles.footButton}
      aria-label={label}
      title={label}
      onClick={() => choose(next)}
    >
      <Icon name={themeIcons[theme]} />
    </button>
  );
}

function LanguageSwitch() {
  const { language, speak } = useSpeech();
  const other = language === "en" ? "ko" : "en";
  return (
    <button type="button" className={styles.footButton} lang={other} onClick={() => speak(other)}>
      {other === "ko" ? "한국어" : "English"}
    </button>
  );
}
