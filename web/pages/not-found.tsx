/** What an unknown address shows. */
import { Link } from "@tanstack/react-router";
import { Empty } from "../components/empty.tsx";
import { useTitle } from "../components/page.tsx";
import { useWords } from "../i18n/language.tsx";

export function NotFound() {
  const words = useWords();
  useTitle("404");
  return (
    <Empty title={words.notFoundTitle} text={words.notFoundText}>
      <Link to="/">{words.toOverview}</Link>
    </Empty>
  );
}
