/** Line drawings, 24 by 24; decoration only: what they stand for is said in words beside them. */

const PATHS = {
  live: "M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3ZM5 11a7 7 0 0 0 14 0M12 18v3",
  files: "M14 3H6v18h12V7l-4-4Zm0 0v4h4M9 13h6M9 17h4",
  history: "M4 5v5h5M4.5 10A8 8 0 1 1 4 13M12 8v5l3 2",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  captions: "M3 5h18v14H3ZM7 11h4M13 11h4M7 15h8",
  share: "M12 15V4M8 8l4-4 4 4M5 13v7h14v-7",
  close: "M6 6l12 12M18 6 6 18",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  play: "M8 5l11 7-11 7Z",
  pause: "M8 5v14M16 5v14",
  download: "M12 4v11M8 11l4 4 4-4M5 20h14",
  upload: "M12 20V9M8 13l4-4 4 4M5 4h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l4 4",
  edit: "M5 19l1-4L16 5l3 3L9 18l-4 1Z",
  back: "M14 6l-6 6 6 6",
  again: "M20 6v5h-5M19.5 11A8 8 0 1 0 20 14",
  check: "M5 13l4 4L19 7",
  warning: "M12 4 3 20h18L12 4ZM12 10v5M12 17.5v.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
