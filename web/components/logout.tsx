/** Ends the session of the token's cookie; not there for those whom the server around it let in. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "../api.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { noteLogout } from "../session.ts";
import { useTelling } from "../telling.ts";
import { Icon } from "./icon.tsx";
import styles from "./shell.module.css";
import { useToast } from "./toast.tsx";

export function Logout() {
  const words = useWords();
  const tell = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const { data } = useQuery(queries.session());
  const leaving = useMutation({
    mutationFn: api.logOut,
    onSuccess: () => {
      noteLogout();
      // Nothing of what was shown stays in the page.
      client.clear();
    },
    onError: (error) => say(tell(error), true),
  });
  if (!data) return <span className={styles.logoutPlace} />;
  if (!data.canLogOut) return null;
  return (
    <button
      type="button"
      className={`${styles.footButton} ${styles.logout}`}
      title={words.logOut}
      disabled={leaving.isPending}
      onClick={() => leaving.mutate()}
    >
      <Icon name="logout" />
      <span className={styles.logoutText}>{words.logOut}</span>
    </button>
  );
}
