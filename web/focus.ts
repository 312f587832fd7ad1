/** Where the keyboard is: it follows the reader to another page, and does not fall out of one when what it was on goes away. */
import { useRouter } from "@tanstack/react-router";
import { useEffect } from "react";

const contentId = "content";

/** Puts the focus on the content of the page, or on the dialog that is over it. */
export function focusContent(): void {
  const place = document.querySelector<HTMLElement>("dialog[open]") ?? document.getElementById(contentId);
  place?.focus({ preventScroll: true });
}

/** For the frame around every page. */
export function useKeptFocus(): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe("onResolved", ({ pathChanged, fromLocation }) => {
        const content = document.getElementById(contentId);
        if (pathChanged && fromLocation && !content?.contains(document.activeElement)) focusContent();
      }),
    [router],
  );
  useEffect(() => {
    let last: Node | undefined;
    const note = ({ target }: FocusEvent) => {
      last = target as Node;
    };
    // What is removed loses the focus without a word.
    const observer = new MutationObserver(() => {
      if (!last || last.isConnected) return;
      last = undefined;
      if (document.activeElement === document.body) focusContent();
    });
    document.addEventListener("focusin", note);
    observer.observe(document.body, { childList: true, subtree: true });
    return () => {
      document.removeEventListener("focusin", note);
      observer.disconnect();
    };
  }, []);
}
