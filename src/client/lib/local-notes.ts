/** Notes this page keeps for the next visit; where the browser keeps nothing, it goes without. */

export function storedNote(name: string): string | null {
  try {
    return localStorage.getItem(`faceoff.${name}`);
  } catch {
    return null;
  }
}

export function storeNote(name: string, value: string): void {
  try {
    localStorage.setItem(`faceoff.${name}`, value);
  } catch {
    // Storage may be full or forbidden.
  }
}

export function storedJson(name: string): unknown {
  try {
    return JSON.parse(storedNote(name) ?? 'null');
  } catch {
    return null;
  }
}

/** What this tab remembers over a reload or a crash, and forgets when it is closed. */
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
        // As above.
      }
    },
  };
}
