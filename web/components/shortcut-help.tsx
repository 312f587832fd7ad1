/** The list of shortcuts, and the switch that turns them off. */
import { Fragment } from "react";
import { useWords } from "../i18n/language.tsx";
import { useShortcutsEnabled } from "../keyboard.ts";
import { Dialog } from "./dialog.tsx";
import { places } from "./shell.tsx";
import styles from "./shortcut-help.module.css";

export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  const words = useWords();
  const [enabled, enable] = useShortcutsEnabled();
  const shortcuts: [keys: string[], text: string][] = [
    [["/"], words.shortcutSearch],
    [["j"], words.shortcutNext],
    [["k"], words.shortcutPrevious],
    [["Enter"], words.shortcutOpen],
    [["x"], words.shortcutSelect],
    [["Shift J"], words.shortcutExtendDown],
    [["Shift K"], words.shortcutExtendUp],
    [["a"], words.shortcutAct],
    [["Esc"], words.shortcutClear],
    ...places.map(({ key, word }): [string[], string] => [["g", key], words.shortcutGo(words[word])]),
    [["?"], words.shortcutHelp],
  ];
  return (
    <Dialog title={words.keyboardHelp} onClose={onClose}>
      <dl className={styles.list}>
        {shortcuts.map(([keys, text]) => (
          <Fragment key={text}>
            <dt>
              {keys.map((key, index) => (
                <Fragment key={key}>
                  {index > 0 && ` ${words.keyThen} `}
                  <kbd>{key}</kbd>
                </Fragment>
              ))}
            </dt>
            <dd>{text}</dd>
          </Fragment>
        ))}
      </dl>
      <label className={styles.switch}>
        <input type="checkbox" checked={enabled} onChange={(event) => enable(event.target.checked)} />
        {words.singleKeys}
      </label>
    </Dialog>
  );
}
