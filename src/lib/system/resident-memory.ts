let lastBytes = 0;

/**
 * Resident memory of this process, in bytes. Where the system cannot tell, as it opens a file for that and may have no
 * descriptor left, it is the last known.
 */
export function residentBytes(): number {
  try {
    lastBytes = process.memoryUsage.rss();
  } catch {
    // The last value is a second old at most: the monitor asks that often.
  }
  return lastBytes;
}
