/** A few counts over time as bars the size of a word; the text says what they add up to. */
import styles from "./trend.module.css";

const height = 18;
const barWidth = 3;
const step = 4;
/** What is not nothing is seen. */
const heightMin = 2;

export function Trend({ counts, label }: { counts: readonly number[]; label: string }) {
  const most = Math.max(1, ...counts);
  const width = counts.length * step;
  return (
    <svg
      className={styles.trend}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <rect className={styles.ground} y={height - 1} width={width} height={1} />
      {counts.map((count, index) => {
        const tall = count === 0 ? 0 : Math.max(heightMin, (count / most) * height);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place
          <rect key={index} x={index * step} y={height - tall} width={barWidth} height={tall} rx={0.5} />
        );
      })}
    </svg>
  );
}
