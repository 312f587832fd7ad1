/** The mark of Dure. */
export function Brand() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path
        d="M9 8.5h6.2a7.5 7.5 0 0 1 0 15H9z"
        fill="none"
        stroke="var(--on-accent)"
        strokeWidth="3"
        strokeLinejoin="round"
      />
      <circle cx="23.5" cy="16" r="2" fill="var(--on-accent)" />
    </svg>
  );
}
