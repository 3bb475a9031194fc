// Who looks. Kept between visits, so that a reload is the same reader.

const KEPT = "rayapp-user";

export const user = {
  id: localStorage.getItem(KEPT) || newcomer(),
  become(id) {
    this.id = id;
    localStorage.setItem(KEPT, id);
  },
};

export function newcomer() {
  return `reader-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
}
