// Every call to this system: the key where one is needed, errors as their own message.

const KEY = "rayapp-key";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(path, options) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...(options.type ? { "content-type": options.type } : {}), ...(key ? { authorization: `Bearer ${key}` } : {}) };
  const found = await fetch(path, { ...options, headers });
  if (found.status !== 401 && found.status !== 403) return found;
  const given = window.prompt("This system wants an API key (one of RAYAPP_API_KEYS):");
  if (!given) return found;
  sessionStorage.setItem(KEY, given);
  return fetch(path, { ...options, headers: { ...headers, authorization: `Bearer ${given}` } });
}

export async function call(path, { method = "GET", body, text: written } = {}) {
  const sent = body === undefined ? { body: written, type: "application/yaml" } : { body: JSON.stringify(body), type: "application/json" };
  const found = await answer(path, { method, ...(sent.body ? sent : {}) });
  const said = await found.json().catch(() => ({}));
  if (!found.ok) throw new ApiError(found.status, said.error?.message ?? `${found.status} ${found.statusText}`);
  return said;
}

export async function text(path) {
  const found = await answer(path, {});
  if (!found.ok) throw new ApiError(found.status, `${found.status} ${found.statusText}`);
  return found.text();
}

export function path(base, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `${base}?${new URLSearchParams(given)}`;
}
