/** Keeps the screen on while a camera is live: a phone that locks itself takes the camera away. */

let isWanted = false;
let sentinel: WakeLockSentinel | null = null;

/** Keeps the screen on, or no longer. Browsers without wake locks, and those that save power, do nothing. */
export function keepAwake(wanted: boolean): void {
  isWanted = wanted;
  void update();
}

/** The browser releases the lock whenever the page is hidden. */
async function update(): Promise<void> {
  const isHeld = sentinel !== null && !sentinel.released;
  if (isWanted && !isHeld && !document.hidden) {
    sentinel = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
    if (!isWanted) void update();
  } else if (!isWanted && sentinel !== null) {
    await sentinel.release().catch(() => undefined);
    sentinel = null;
  }
}

document.addEventListener('visibilitychange', () => void update());
