/** The icons, drawn on a 16 × 16 grid with one stroke width; always beside a text or a label. */
import type { Status } from "../contract.ts";

const paths = {
  overview: "M2.5 13.5v-4M6.2 13.5v-7M9.9 13.5v-5M13.5 13.5v-11",
  tasks: "M6 4h7.5M6 8h7.5M6 12h7.5M2.5 4h.5M2.5 8h.5M2.5 12h.5",
  errors: "M8 2.2 14.3 13H1.7zM8 6.5v3M8 11.2v.1",
  workers: "M3 3h10v4H3zM3 9h10v4H3zM5.5 5h.1M5.5 11h.1",
  definitions: "M5.5 3 2 8l3.5 5M10.5 3 14 8l-3.5 5",
  audit: "M3.5 2h9v12h-9zM6 5h4M6 8h4M6 11h2",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.7 10.7 14 14",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6M13.3 2v3h-3",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M12.8 3.2l-1.1 1.1M4.3 11.7l-1.1 1.1",
  moon: "M13.2 9.8A5.8 5.8 0 0 1 6.2 2.8a5.8 5.8 0 1 0 7 7z",
  system: "M2 3h12v8H2zM6 14h4M8 11v3",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  keyboard: "M1.5 4h13v8h-13zM4 6.7h.1M6.7 6.7h.1M9.3 6.7h.1M12 6.7h.1M5 9.5h6",
  logout: "M6.5 2.5h-4v11h4M6.5 8h7M10.8 5l3 3-3 3",
  plus: "M8 3v10M3 8h10",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  resume: "M5 3.2v9.6L12.5 8z",
  bell: "M3.5 11.5h9L11.3 9.8V6.7a3.3 3.3 0 0 0-6.6 0v3.1zM6.8 13.7h2.4",
  bookmark: "M4 2.5h8v11l-4-3-4 3z",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}

const statusPaths: Record<Status, string> = {
  PENDING: "",
  RUNNING: "M8 5v3l2 1.4",
  COMPLETED: "M5.2 8.2 7.2 10.2 10.8 6",
  FAILED: "M6 6l4 4M10 6l-4 4",
  CANCELLED: "M5.5 8h5",
};

/** The mark of a status: told by its shape as well as its colour. */
export function StatusMark({ status, size = 14 }: { status: Status; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke={`var(--${status.toLowerCase()})`}
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <circle cx="8" cy="8" r="6" strokeDasharray={status === "PENDING" ? "2.4 2.3" : undefined} />
      <path d={statusPaths[status]} />
    </svg>
  );
}
