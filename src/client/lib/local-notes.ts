/** Notes in the browser's storage, for the next visit. Where the browser stores nothing, the pages do without. */

/** A note; null where there is none. */
export function storedNote(name: string): string | null {
  try {
    return localStorage.getItem(`faceoff.${name}`);
  } catch {
    return null;
  }
}

/** Stores a note. Fails silently where storage is full or forbidden. */
export function storeNote(name: string, value: string): void {
  try {
    localStorage.setItem(`faceoff.${name}`, value);
  } catch {
    // The next visit begins with the defaults.
  }
}

/** A note parsed as JSON; null where there is none, or no JSON. */
export function storedJson(name: string): unknown {
  try {
    return JSON.parse(storedNote(name) ?? 'null');
  } catch {
    return null;
  }
}

/** A session id that survives a reload or a crash of this tab, but not its closing. */
export function tabMemory(name: string): { session: string | null } {
  const key = `faceoff.${name}`;
  return {
    get session() {
      try {
        return sessionStorage.getItem(key);
      } catch {
        return null;
      }
    },
    set session(session) {
      try {
        if (session === null) sessionStorage.removeItem(key);
        else sessionStorage.setItem(key, session);
      } catch {
        // Without storage, a reloaded page joins as a new session.
      }
    },
  };
}
