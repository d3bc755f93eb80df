// The tablet's own disk: IndexedDB, one transaction a step. A step is safe once it resolves: `strict` waits for the disk.

/** `order` counts up: what was done first is sent first. */
export const STORES = {
  acts: { keyPath: "order", autoIncrement: true },
  entities: { keyPath: ["user", "type", "id"] },
  facts: { keyPath: "name" },
} as const;
export type StoreName = keyof typeof STORES;

const DATABASE = "railfleet-tablet";

let opened: Promise<IDBDatabase> | null = null;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      for (const [name, options] of Object.entries(STORES)) request.result.createObjectStore(name, options as unknown as IDBObjectStoreParameters);
    };
    // What is closed, or could not be opened, is opened anew by whoever comes next.
    const close = (): void => {
      opened = null;
    };
    request.onsuccess = () => {
      // Another tab with a newer page may need the old form gone.
      request.result.onversionchange = () => {
        close();
        request.result.close();
      };
      request.result.onclose = close;
      resolve(request.result);
    };
    request.onerror = () => {
      close();
      reject(request.error);
    };
  });
  return opened;
}

/** Runs one transaction over some stores; what `step` asks for last is the answer. */
export async function transact<T>(names: StoreName[], step: (store: (name: StoreName) => IDBObjectStore) => IDBRequest<T> | null): Promise<T | null> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const running = database.transaction(names, "readwrite", { durability: "strict" });
    const request = step((name) => running.objectStore(name));
    running.oncomplete = () => resolve(request === null ? null : request.result);
    // Also where one request failed: that ends the transaction, and only then its error is known.
    running.onabort = () => reject(running.error);
  });
}

export async function all<T>(name: StoreName): Promise<T[]> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const request = database.transaction(name, "readonly").objectStore(name).getAll() as IDBRequest<T[]>;
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export async function fact<T>(name: string): Promise<T | null> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const request = database.transaction("facts", "readonly").objectStore("facts").get(name) as IDBRequest<{ value: T } | undefined>;
    request.onsuccess = () => resolve(request.result?.value ?? null);
    request.onerror = () => reject(request.error);
  });
}
